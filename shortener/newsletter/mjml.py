"""Names of MJML components by purpose, such as buttons and images.

MJML is a language for mails that is compiled to HTML.
"""

# URLs are replaced in the MJML, which the sender compiles afterwards. Source: the reference of MJML 4.

PREFIX = b"mj-"
"""Start of the names of all components; no element of HTML has it."""

BUTTON = b"mj-button"
"""Component that becomes a button."""

IMAGES = frozenset((b"mj-image", b"mj-carousel-image"))
"""Components that become images."""

NAVIGATION = frozenset((b"mj-navbar", b"mj-navbar-link", b"mj-social", b"mj-social-element"))
"""Components that contain navigation and profiles."""

HIDDEN = frozenset((b"mj-head", b"mj-preview", b"mj-attributes"))
"""Components whose text readers do not see."""

TITLE, STYLE = b"mj-title", b"mj-style"
"""Components of the head for the title of the document and for style sheets."""
