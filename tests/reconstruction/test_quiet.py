"""Silence, also of several threads at once."""

import os
import threading

from reconstruction.quiet import quiet_stderr


def say(word: str) -> None:
    os.write(2, f"{word}\n".encode())


def test_silent_within_and_loud_again_after(capfd):
    say("before")
    with quiet_stderr():
        say("within")
        with quiet_stderr():
            say("deeper")
        say("still")
    say("after")
    assert capfd.readouterr().err == "before\nafter\n"


def test_blocks_of_two_threads_overlap(capfd):
    inside, leave = threading.Event(), threading.Event()

    def other():
        with quiet_stderr():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with quiet_stderr():
        thread.start()
        assert inside.wait(10)
    say("one is left, the other not")
    leave.set()
    thread.join()
    say("both are left")
    assert capfd.readouterr().err == "both are left\n"
