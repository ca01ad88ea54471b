"""Says on stderr what it waits for, reads, and never answers."""

import os

import speak

os.write(2, b"password for the vault: \n")
while True:
    speak.read()
