"""What can go wrong at a network, grouped by what the runner does about it, and how HTTP answers map to that."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from shared.kit.http import AddressRefused, Answer, AnswerLost, HandshakeRefused, HttpError, NotSent, retry_after

A_WHILE = timedelta(minutes=5)


class ChannelError(Exception):
    """The root. The message is a sentence for the person who looks after the channel; it holds no secret."""


class TryLater(ChannelError):
    """The network is away or asks us to wait: the runner comes back after `after`. Nothing was done."""

    def __init__(self, message: str, after: timedelta = A_WHILE) -> None:
        super().__init__(message)
        self.after = after


class AskForNewCredential(ChannelError):
    """The credential is wrong, withdrawn or lacks a right: the runner stops and asks a person. Nothing was done."""


class SkipThis(ChannelError):
    """This one thing will never work (the post is gone, the text refused): the runner goes on with the next."""


class ChannelBroken(ChannelError):
    """The channel as configured does not work: the runner says so and tries once in a while. Nothing was done."""


class BudgetSpent(ChannelError):
    """What may be spent on it in this month is spent: the runner leaves it alone until `until`. Nothing was done."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class OutcomeUnknown(ChannelError):
    """A reply went out and nothing tells whether the network took it: the runner parks it and never just repeats it."""


class NotGenuine(ChannelError):
    """A push that is not signed as agreed, or too old: the runner answers 401 and keeps nothing of it."""


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Around calls that change nothing at the network: what fails may be tried again."""
    try:
        yield
    except AddressRefused as refused:
        raise ChannelBroken(f"{what}: {refused}") from refused
    except HandshakeRefused as refused:
        expect_read(refused.answer, what)
        raise TryLater(f"{what}: {refused}") from refused
    except HttpError as failed:
        raise TryLater(f"{what}: {failed}") from failed


@contextmanager
def replying(what: str) -> Iterator[None]:
    """Around the call that posts: after the request left, only the network knows what became of it."""
    try:
        yield
    except AddressRefused as refused:
        raise ChannelBroken(f"{what}: {refused}") from refused
    except NotSent as failed:
        raise TryLater(f"{what}: {failed}") from failed
    except AnswerLost as lost:
        raise OutcomeUnknown(f"{what}: {lost}") from lost


def expect_read(answer: Answer, what: str) -> Answer:
    """The answer, if it is a good one to a read (2xx or 304); else the error that its status means."""
    status = answer.status
    if 200 <= status < 300 or status == 304:
        return answer
    if status in (401, 403):
        raise AskForNewCredential(f"{what} refuses our credential ({status}). Enter a new one.")
    if status in (408, 409, 425, 429) or status >= 500:
        raise TryLater(f"{what} answers {status}.", retry_after(answer) or A_WHILE)
    if status in (404, 410):
        raise ChannelBroken(f"{what} is not there any more ({status}). Check the address.")
    raise ChannelBroken(f"{what} answers {status}, which we cannot use. Check the settings.")


def expect_posted(answer: Answer, what: str, said: str = "") -> Answer:
    """The answer, if it says that a post was taken (2xx); else the error that its status means.

    A 5xx and a 408 are no "no": networks have been seen to answer so after taking the post.
    """
    status = answer.status
    if 200 <= status < 300:
        return answer
    if status == 401:
        raise AskForNewCredential(f"{what} refuses our credential (401). Enter a new one.")
    if status in (425, 429):
        raise TryLater(f"{what} asks us to wait ({status}).", retry_after(answer) or A_WHILE)
    if status == 408 or status >= 500:
        raise OutcomeUnknown(f"{what} answers {status} and may have taken it.")
    raise SkipThis(f"{what} refuses it ({status}){f': {said}' if said else ''}.")
