# %% [markdown]
# # 91 · What does that word mean?
#
# Every term of the course in one sentence, with the notebook that builds or defines it.
# In the notebooks, a bold word that stands here is a link to its letter. Looking for one
# word is quicker with a call:

# %%
from course_utils.classroom import start
from course_utils.classroom.glossary import define, glossary

start("91_glossary")

# %%
define("mean pooling")

# %% [markdown]
# A word that is not here brings the nearest ones:

# %%
try:
    define("cosinus")
except KeyError as error:
    print(error.args[0])

# %%
print(len(glossary()), "terms")
