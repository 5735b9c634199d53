"""From ``notebooks/source/NN_topic.py`` to two executed, canonical editions.

Imported by nothing; run as ``python -m course_utils.authoring build|pull|lab``.
"""
