"""The use case of this program: a prompt goes to a model's plugin, its answer comes back and is logged.

    request      what is asked, and the sink that shows the answer
    run          the whole, in its order
    turn         one prompt and its answer; chat: many of them, with plugins that stay
    embedding    vectors for a stream of inputs
    asked        the plugin that is asked: chosen, started, killed
    scene        what is settled before anything is started
    choose       which model answers, and whether it can do what is asked
    exchange     asking, and what arrives
    answer       what of it is shown, and remembered
    messages     the chain of messages that the plugin gets
    attachments  files that go along
    keys         API keys for the plugins
    nested       prompts that plugins ask for; forwarding: what goes from one plugin to another
    log          the log, as one prompt sees it

Nothing is imported here: a command that only wants to know the default model does not pay for the rest.
"""
