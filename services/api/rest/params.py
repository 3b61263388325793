"""Query parameters that several operations share."""

from services.api.rest.operations import Parameter

SINCE_MOMENT = Parameter("time", "From this moment on.", example="2026-11-22T00:00:00Z")
UNTIL_MOMENT = Parameter("time", "Before this moment.", example="2026-11-23T00:00:00Z")
AFTER = Parameter("integer", "Only events after this position: the `next_cursor` of the former page.")
PARAMETERS_OF_A_FEED = {
    "after": AFTER,
    "limit": Parameter("integer", "At most so many, 1 to 500; 100 unless said otherwise."),
    "type": Parameter("text", "Only these types: names, `noun.*` or `*`, with commas between them."),
}
