//! The colours. `anstream` takes them away again where stdout is no terminal or NO_COLOR is set.
use anstyle::{AnsiColor, Style};

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const POOR: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const TITLE: Style = Style::new().bold();
pub(crate) const PLAIN: Style = Style::new();
