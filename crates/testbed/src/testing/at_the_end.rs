//! What must be done when a test is over, however it ends.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::shop_settings::OF_ONE_SHOP;

/// Runs a program once: when it is told to, when this is dropped, and when the test's process is killed. A shell waits
/// for it at the end of a pipe whose other end only this process has.
pub struct AtTheEnd {
    shell: Child,
}

impl AtTheEnd {
    /// Will run `program` with these arguments, in `folder`, without the settings of any shop.
    ///
    /// # Panics
    /// When there is no shell.
    pub fn run(program: impl AsRef<OsStr>, arguments: &[&str], folder: &Path) -> Self {
        let mut shell = Command::new("sh");
        for name in OF_ONE_SHOP {
            shell.env_remove(name);
        }
        // A group of its own: Ctrl-C in the terminal ends the test, and not this.
        let shell = shell
            .args(["-c", r#"read -r _; exec "$@""#, "sh"])
            .arg(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        Self { shell: shell.expect("a shell") }
    }

    /// Runs it now, if it hasn't run yet, and waits for its end. Whether it succeeded.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn now(&mut self) -> bool {
        drop(self.shell.stdin.take());
        self.shell.wait().expect("it is our child").success()
    }
}

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        self.now();
    }
}
