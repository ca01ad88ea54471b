"""What stands in the SDK's place when `llm doctor` looks at a wall: it is started as every plugin is.

It tries what the wall must refuse, harmlessly, on things that the host has made for that. Standard library
only: it runs in the plugin's interpreter.
"""
