//! The commands that a person can type after `lab`, one file each.

pub mod bench;
pub mod check;
pub mod clean;
pub mod down;
pub mod drill;
pub mod engine_message;
pub mod explore;
pub mod guide_pictures;
pub mod hint;
pub mod logs;
pub mod predict;
pub mod progress_line;
pub mod psql;
pub mod race;
pub mod restart;
pub mod serve;
pub mod slow_motion;
pub mod status;
pub mod step;
pub mod tap;
pub mod test_guide;
pub mod timeline;
pub mod up;
pub mod usage;
pub mod watch;

/// The message of a command that needs the built shop. The compiler has already said why it isn't built.
const NOT_BUILT: &str = "the shop doesn't compile: see the compiler's messages above. Replicas that run are still the \
                         old ones. Correct the code, and run the command again";

/// The exit code when there is no verdict. Clap uses it too, for arguments that it doesn't know.
const NOT_JUDGED: u8 = 2;
