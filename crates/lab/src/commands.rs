//! What a person can type after `lab`, one file each.

pub mod check;
pub mod clean;
pub mod down;
pub mod drill;
pub mod hint;
pub mod logs;
pub mod progress_line;
pub mod psql;
pub mod race;
pub mod restart;
pub mod serve;
pub mod status;
pub mod test_guide;
pub mod up;
pub mod watch;

/// What a command says that needs the shop built. The compiler has said why it isn't.
const NOT_BUILT: &str = "the shop doesn't compile: see above. The replicas, if they run, are what they were";
