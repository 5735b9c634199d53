"""Things to move, each with a static twin that teaches the same without a kernel.

``explore`` always shows the twin (it is stored in the notebook and compared by the
tests) and, where a person is at the keyboard, the live control below it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence

from course_utils.classroom import session
from course_utils.classroom.plots import Picture
from course_utils.classroom.show import Stack, escape, visible


def to_html(view: object) -> str:
    """HTML for anything a view may return: a picture, an object with HTML, or text."""
    if isinstance(view, Picture):
        data = base64.b64encode(view.png).decode()
        alt = escape(view.alt)
        return (
            f'<img alt="{alt}" width="{view.width}" src="data:image/png;base64,{data}">'
        )
    if hasattr(view, "_repr_html_"):
        return view._repr_html_()
    return f'<pre style="white-space:pre-wrap">{escape(view)}</pre>'


def explore(
    view: Callable[..., object],
    twin: Sequence[Mapping[str, object]],
    **controls: object,
) -> None:
    """Show a view at the settings of ``twin``, then live under the given controls.

    Args:
        view: pure function of the controls' values; returns something to show.
        twin: the settings that make the point without moving anything.
        **controls: ``name=(low, high)`` for a whole-number slider, ``name=[…]`` for a
            slider over a list, ``name="text"`` for a text box.

    Raises:
        ValueError: the twin is empty or names a control that does not exist.
    """
    from IPython.display import display

    if not twin:
        raise ValueError("a widget needs a static twin: give at least one setting")
    for setting in twin:
        if set(setting) != set(controls):
            raise ValueError(
                f"twin {dict(setting)} must set exactly the controls {list(controls)}"
            )
    display(*(view(**setting) for setting in twin))
    if session.live():
        display(live_view(view, controls, dict(twin[-1])))


def _control(name: str, spec: object, value: object):
    import ipywidgets

    label = visible(name.replace("_", " "))
    wide = {"layout": {"width": "95%"}, "style": {"description_width": "initial"}}
    if isinstance(spec, tuple):
        low, high = spec
        if not (isinstance(low, int) and isinstance(high, int)):
            raise ValueError(f"{name}: a slider has whole numbers, not {spec}")
        return ipywidgets.IntSlider(
            value=value, min=low, max=high, description=label, **wide
        )
    if isinstance(spec, str):
        # Half a character (a lone surrogate) cannot travel to the browser.
        whole = str(value).encode("utf-8", "replace").decode("utf-8")
        return ipywidgets.Text(value=whole, description=label, **wide)
    # A slider again: JupyterLab takes the arrow keys away from a drop-down list.
    options = [(visible(str(option)), option) for option in spec]
    return ipywidgets.SelectionSlider(
        options=options, value=value, description=label, **wide
    )


def live_view(view: Callable[..., object], controls: Mapping, values: Mapping):
    """Build the live part of ``explore``: controls above an area that follows them.

    An exception in the view is shown as one line; the controls stay usable.
    """
    import ipywidgets

    parts = {
        name: _control(name, spec, values[name]) for name, spec in controls.items()
    }
    area = ipywidgets.HTML()

    def redraw(_change: object = None) -> None:
        try:
            area.value = to_html(view(**{name: p.value for name, p in parts.items()}))
        except Exception as error:
            area.value = f"<p>{escape(f'{type(error).__name__}: {error}')}</p>"

    for part in parts.values():
        part.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([*parts.values(), area])


def choose(choices: Sequence[str], keep: Callable[[str], None]) -> None:
    """Show one button per choice; a click hands the choice to ``keep``."""
    import ipywidgets
    from IPython.display import display

    said = ipywidgets.Label("")

    def button(choice: str):
        made = ipywidgets.Button(description=visible(choice), layout={"width": "auto"})

        def clicked(_button: object) -> None:
            keep(choice)
            said.value = f"kept: {visible(choice)}"

        made.on_click(clicked)
        return made

    display(ipywidgets.HBox([*map(button, choices), said]))


__all__ = ["Stack", "choose", "explore", "live_view", "to_html"]
