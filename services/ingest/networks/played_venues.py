"""What the venues that the simulated channel can play let us answer.

A venue that has a channel file of its own says the same there; a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.models.mention import MentionKind, Visibility
from shared.models.reply_rules import CountedAs, Length, ReplyRules, ReplyWay

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Played:
    """A venue as far as it can be played: what its posts are, and its reply rules."""

    kind: MentionKind
    rules: ReplyRules
    visibility: Visibility = Visibility.PUBLIC


def _up_to(limit: int, counted_as: CountedAs = "code_points", url_weight: int | None = None) -> tuple[Length, ...]:
    return (Length(limit=limit, counted_as=counted_as, url_weight=url_weight),)


_TO_THE_AUTHOR = ReplyWay(lengths=_up_to(10_000), requires=("author_known",))
_ONCE_WITHIN_A_WEEK = ReplyWay(lengths=_up_to(2_000), window_s=7 * DAY, window_from="published_at", once=True)


def _chat(limit: int, counted_as: CountedAs = "code_points", window_s: int | None = DAY) -> ReplyWay:
    return ReplyWay(lengths=_up_to(limit, counted_as), requires=("written_privately",), window_s=window_s)


def _review(*lengths: Length, moderated: bool = False) -> ReplyRules:
    return ReplyRules(public=ReplyWay(lengths=lengths, overwrites=True, moderated=moderated))


PLAYS: Mapping[str, Played] = {
    "plain": Played(
        MentionKind.POST,
        ReplyRules(
            public=ReplyWay(lengths=_up_to(500), threads=True),
            private=ReplyWay(lengths=_up_to(2_000), requires=("author_known",)),
        ),
    ),
    "watch_only": Played(MentionKind.ARTICLE, ReplyRules()),
    "x": Played(
        MentionKind.POST,
        ReplyRules(
            public=ReplyWay(lengths=_up_to(280, "x_weighted", 23), threads=True, requires=("addressed_to_us",)),
            private=_TO_THE_AUTHOR,
        ),
    ),
    "mastodon": Played(
        MentionKind.POST,
        ReplyRules(
            public=ReplyWay(lengths=_up_to(500, "mastodon", 23), threads=True),
            private=ReplyWay(lengths=_up_to(500, "mastodon", 23), threads=True, requires=("author_known",)),
        ),
    ),
    "bluesky": Played(
        MentionKind.POST,
        ReplyRules(
            public=ReplyWay(lengths=(*_up_to(300, "graphemes"), *_up_to(3_000, "utf8_bytes")), threads=True),
            private=ReplyWay(lengths=_up_to(1_000, "graphemes"), requires=("author_known",)),
        ),
    ),
    "threads": Played(MentionKind.POST, ReplyRules(public=ReplyWay(lengths=_up_to(500), threads=True))),
    "facebook": Played(
        MentionKind.COMMENT, ReplyRules(public=ReplyWay(lengths=_up_to(8_000)), private=_ONCE_WITHIN_A_WEEK)
    ),
    "instagram": Played(
        MentionKind.COMMENT,
        ReplyRules(
            public=ReplyWay(lengths=_up_to(2_200)),
            private=ReplyWay(
                lengths=_up_to(1_000, "utf8_bytes"), window_s=7 * DAY, window_from="published_at", once=True
            ),
            in_private=ReplyWay(lengths=_up_to(1_000, "utf8_bytes"), window_s=DAY),
        ),
    ),
    "linkedin": Played(MentionKind.COMMENT, ReplyRules(public=ReplyWay(lengths=_up_to(1_250)))),
    "tiktok": Played(MentionKind.COMMENT, ReplyRules(public=ReplyWay(lengths=_up_to(150)))),
    "youtube": Played(MentionKind.COMMENT, ReplyRules(public=ReplyWay(lengths=_up_to(10_000)))),
    "reddit": Played(MentionKind.COMMENT, ReplyRules(public=ReplyWay(lengths=_up_to(10_000)), private=_TO_THE_AUTHOR)),
    "discourse": Played(
        MentionKind.POST,
        ReplyRules(
            public=ReplyWay(lengths=_up_to(32_000)),
            private=ReplyWay(lengths=_up_to(32_000), requires=("author_known",)),
        ),
    ),
    "messenger": Played(MentionKind.MESSAGE, ReplyRules(private=_chat(2_000)), Visibility.PRIVATE),
    "whatsapp": Played(MentionKind.MESSAGE, ReplyRules(private=_chat(4_096)), Visibility.PRIVATE),
    "telegram": Played(
        MentionKind.MESSAGE,
        ReplyRules(public=ReplyWay(lengths=_up_to(4_096, "utf16_units")), private=_chat(4_096, "utf16_units", None)),
        Visibility.PRIVATE,
    ),
    "mail": Played(MentionKind.MAIL, ReplyRules(private=ReplyWay(requires=("author_known",))), Visibility.PRIVATE),
    "google_play": Played(MentionKind.REVIEW, _review(*_up_to(350))),
    "app_store": Played(MentionKind.REVIEW, _review(*_up_to(5_970), moderated=True)),
    "google_business": Played(MentionKind.REVIEW, _review(*_up_to(4_096, "utf8_bytes"))),
    "trustpilot": Played(MentionKind.REVIEW, _review()),
}
