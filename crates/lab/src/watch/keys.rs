//! The keys that a person presses, if there is a terminal. They come one at a time and without Enter.

use std::io::{self, IsTerminal, Read};

use rustix::process::Signal;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// h
    Hint,
    /// c
    Check,
    /// r
    Reset,
    /// q, or Ctrl-D
    Quit,
}

/// The terminal's keys. When standard input is something else, there is never a key. When this value is dropped, the
/// terminal is as it was before.
pub struct Keys {
    pressed: UnboundedReceiver<Key>,
    continued: tokio::signal::unix::Signal,
    terminal: Option<KeyTerminal>,
}

impl Keys {
    /// Begins to listen.
    ///
    /// # Errors
    /// When signals can't be heard.
    pub fn listen() -> io::Result<Self> {
        let continued = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
        let terminal = KeyTerminal::enter();
        let (sender, pressed) = mpsc::unbounded_channel();
        if terminal.is_some() {
            // This is a plain thread: a thread of tokio would keep the process from ending while it reads.
            std::thread::spawn(move || read(&sender));
        }
        Ok(Self { pressed, continued, terminal })
    }

    /// Whether there is a terminal to press keys on.
    pub fn are_there(&self) -> bool {
        self.terminal.is_some()
    }

    /// Waits for the next key. Nothing is lost when this future is dropped.
    pub async fn next(&mut self) -> Key {
        loop {
            tokio::select! {
                Some(key) = self.pressed.recv() => return key,
                // After a pause (Ctrl-Z, fg), the shell has set the terminal's modes as it likes them.
                Some(()) = self.continued.recv() => self.terminal.iter().for_each(KeyTerminal::set_up),
                else => std::future::pending().await,
            }
        }
    }
}

/// Reads until the end of the input. Keys that were pressed while the program was busy are not lost.
fn read(keys: &UnboundedSender<Key>) {
    let mut bytes = [0; 64];
    while let Ok(count @ 1..) = io::stdin().read(&mut bytes) {
        for key in keys_in(&bytes[..count]) {
            if keys.send(key).is_err() {
                return;
            }
        }
    }
}

/// An arrow key or a similar key sends several bytes: ESC, [ or O, and more up to a letter or ~. Nobody has typed
/// that letter.
fn keys_in(bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut bytes = bytes.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == 0x1b && bytes.next_if(|next| [b'[', b'O'].contains(next)).is_some() {
            bytes.find(|next| (0x40..=0x7e).contains(next));
        } else {
            keys.extend(key_of(byte));
        }
    }
    keys
}

fn key_of(byte: u8) -> Option<Key> {
    match byte.to_ascii_lowercase() {
        b'h' => Some(Key::Hint),
        b'c' => Some(Key::Check),
        b'r' => Some(Key::Reset),
        b'q' | 4 => Some(Key::Quit),
        _ => None,
    }
}

/// A terminal that hands on each key at once and doesn't show it. All else stays as it was: Ctrl-C works, and a new
/// line begins at the left. Programs that we start rely on that.
struct KeyTerminal {
    before: Termios,
}

impl KeyTerminal {
    fn enter() -> Option<Self> {
        if !io::stdin().is_terminal() {
            return None;
        }
        let terminal = Self { before: tcgetattr(io::stdin()).ok()? };
        terminal.set_up();
        Some(terminal)
    }

    fn set_up(&self) {
        let mut modes = self.before.clone();
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        // If this fails, keys work after Enter, which is no reason to end.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
}

impl Drop for KeyTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_keys_unless_an_arrow_sends_them() {
        assert_eq!(keys_in(b"hCxrq\x04"), [Key::Hint, Key::Check, Key::Reset, Key::Quit, Key::Quit]);
        assert_eq!(keys_in(b"\x1b[Ch\x1bOC\x1b[1;5Cr\x1b[3~"), [Key::Hint, Key::Reset]);
        assert_eq!(keys_in(b"\x1bq\x1b["), [Key::Quit]);
    }
}
