//! Copies of this tree, in which variants are built, run and judged.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};

use flash_sale_lab::guide::wrong_fix::WrongFix;
use flash_sale_lab::guide::{Edit, GUIDE};
use flash_sale_testbed::shop_settings::OF_ONE_SHOP;
use flash_sale_testbed::testing::AtTheEnd;
use serde_json::Value;
use tempfile::TempDir;

use super::table::{OF_THE_GUIDE, Variant};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn patch(name: &str) -> PathBuf {
    patches().join(format!("{name}.patch"))
}

pub fn patches() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/variants")
}

/// A copy of this tree as it was shipped, with its dependencies built, and with a port of its own.
pub struct Copy {
    /// When a variant can't be judged, its lab still runs. This value stops it. It stands before the folder,
    /// because it works in the folder.
    _clean: AtTheEnd,
    folder: TempDir,
    port: u16,
}

impl Copy {
    pub fn make() -> Self {
        let root = root();
        let folder = tempfile::Builder::new().prefix("flash-sale-variants-").tempdir().unwrap();
        // The folder is open. When we are root, PostgreSQL's own user works in it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let listing = ["ls-files", "-co", "--exclude-standard"];
        let files = run_well(Command::new("git").args(listing).current_dir(&root));
        for file in files.lines().filter(|file| root.join(file).is_file()) {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::copy(root.join(file), path).unwrap();
        }
        // Copy the dependencies as they are built. Hard links won't do, because cargo writes into some of these files.
        // Our own crates are left out, and so are programs, whose names have no dot: they are built again in the copy.
        let script = r#"
            mkdir -p "$2/deps"
            cp -a "$1/.fingerprint" "$1/build" "$2"
            find "$1/deps" -name '*.*' ! -name '*flash_sale*' -exec cp -a {} "$2/deps" ';'
        "#;
        let built = Path::new(env!("CARGO_BIN_EXE_lab")).parent().unwrap();
        let to = folder.path().join("target/debug");
        run_well(Command::new("sh").args(["-ec", script, "sh"]).args([built, &to]));
        let clean = AtTheEnd::run(to.join("lab"), &["clean"], folder.path());
        let copy = Self { _clean: clean, folder, port: port_of_ones_own() };
        copy.undo_the_learners_edit();
        copy
    }

    /// Puts back the shipped form of the one method that the walkthrough edits.
    pub fn undo_the_learners_edit(&self) {
        let path = self.folder.path().join("crates/repositories/src/product_repository.rs");
        let code = fs::read_to_string(&path).unwrap();
        let (before, method) = code.split_once("    pub async fn get_for_purchase(").unwrap();
        let (_, after) = method.split_once("\n    }\n").unwrap();
        let shipped = "&self, id: Uuid) -> Result<Option<product::Model>, DbErr> {\n        \
                       self.get_by_id(id).await";
        let code = format!("{before}    pub async fn get_for_purchase({shipped}\n    }}\n{after}");
        fs::write(&path, code).unwrap();
    }

    /// Applies the variant, runs it on a database of its own, and takes the variant back.
    pub fn judge(&self, variant: &Variant, arguments: &[&str]) -> Value {
        let name = variant.name;
        let edit = self.edit_of_the_guide(name);
        let apply = |options: &[&str]| {
            if variant.is_a_patch() {
                run_well(self.command("git").arg("apply").args(options).arg("-C1").arg(patch(name)));
            }
        };
        apply(&[]);
        edit.iter().for_each(|edit| edit.make(self.folder.path()).unwrap());
        run_well(self.command(env!("CARGO")).args(["build", "--workspace", "--locked", "--quiet"]));
        run_well(self.lab().args(["up", "--built"]));
        let check = self.lab().args(["check", "--json"]).args(arguments).output().unwrap();
        run_well(self.lab().arg("clean"));
        apply(&["-R"]);
        edit.iter().for_each(|edit| edit.take_back(self.folder.path()).unwrap());

        let report: Value = serde_json::from_slice(&check.stdout)
            .unwrap_or_else(|_| panic!("{name}: {}", String::from_utf8_lossy(&check.stderr)));
        assert_eq!(check.status.success(), report["verdict"] == "fixed", "{name}: the exit code");
        report
    }

    /// The edit that the walkthrough shows, if the variant is one of its wrong fixes.
    fn edit_of_the_guide(&self, name: &str) -> Option<Edit> {
        let place = OF_THE_GUIDE.iter().position(|of_the_guide| *of_the_guide == name)?;
        let guide = fs::read_to_string(self.folder.path().join(GUIDE)).unwrap();
        Some(WrongFix::all(&guide).unwrap().swap_remove(place).edit)
    }

    pub fn lab(&self) -> Command {
        let mut lab = self.command(self.folder.path().join("target/debug/lab"));
        lab.env("PORT", self.port.to_string()).env("DASHBOARD_PORT", "0");
        lab
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        for name in OF_ONE_SHOP {
            command.env_remove(name);
        }
        // Build in the copy, and not in the tree that is being tested, whatever cargo was told.
        command.env("CARGO_TARGET_DIR", self.folder.path().join("target")).current_dir(self.folder.path());
        command
    }
}

/// A port below those that the system itself hands out. It stays free from one variant to the next.
fn port_of_ones_own() -> u16 {
    static COPY: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + (std::process::id() % 20_000) as u16 + 100 * COPY.fetch_add(1, Ordering::SeqCst);
    let mut ports = (first..=u16::MAX).filter(|port| TcpStream::connect(("127.0.0.1", *port)).is_err());
    ports.next().unwrap()
}

#[track_caller]
pub fn run_well(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}
