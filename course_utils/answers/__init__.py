"""Answers that can be checked, from what a search found. Built in notebook 09.

- ``extract``: sentences and listings of the pages, with their place (``quotable``);
  nothing can be invented.
- ``chat``: a language model, which must quote, and whose quotes are looked up.
- ``citations``: where a quote stands, and whether it really does.
"""

# fmt: off
from course_utils.answers.chat import (
    REFUSAL, ChatEndpoint, EndpointError, GroundingError, check_reply, grounded_prompt,
)
from course_utils.answers.citations import (
    NOTHING_FOUND, Answer, Citation, check_citations, locate,
)
from course_utils.answers.extract import answer
