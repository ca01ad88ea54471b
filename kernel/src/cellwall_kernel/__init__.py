"""The microkernel: finds plugins, runs each as a child process, routes prompts to it. The map: README.md."""
