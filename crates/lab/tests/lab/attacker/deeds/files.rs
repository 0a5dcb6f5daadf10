//! What the attacker does to files, folders and names.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use super::{Deeds, PAUSE};
use crate::*;

impl Deeds {
    /// The shop's files and folders, as far as the attacker knows their names or can see them.
    fn targets(&self) -> Vec<PathBuf> {
        let state = self.order.project.join(".flash-sale");
        let names = [
            "",
            "lab.lock",
            "control.sock",
            "hint",
            "logs",
            "logs/lab.log",
            "logs/replica-1.log",
            "logs/replica-2.log",
            "postgres",
            "postgres/postgres.log",
            "postgres/password",
            "postgres/shop-password",
            "postgres/data",
            "postgres/data/postmaster.pid",
            "postgres/data/PG_VERSION",
            "postgres/data/postgresql.conf",
        ];
        let mut targets: Vec<PathBuf> = names.iter().map(|name| state.join(name)).collect();
        for folder in [state, PathBuf::from("/var/lib/flash-sale")] {
            add_all_in(&folder, &mut targets);
        }
        targets
    }

    pub(super) fn lock_files(&mut self) {
        let mut held = Vec::new();
        while self.goes_on() {
            for path in self.targets() {
                let mut options = OpenOptions::new();
                let options = options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
                for file in [options.read(true).open(&path), options.read(false).write(true).open(&path)] {
                    // A shared lock would also do harm, and so would a lock on a folder.
                    let locked = file.map(|file| (file.try_lock_shared().is_ok(), file));
                    self.note(
                        format!("a lock on {}", path.display()),
                        locked.as_ref().is_ok_and(|(is, _)| *is),
                    );
                    held.extend(locked);
                }
            }
            std::thread::sleep(PAUSE);
        }
    }

    pub(super) fn use_files(&mut self) {
        while self.goes_on() {
            for path in self.targets() {
                let name = path.display().to_string();
                self.note(format!("read {name}"), File::open(&path).is_ok());
                let written = OpenOptions::new()
                    .write(true)
                    .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
                    .open(&path);
                self.note(format!("write {name}"), written.is_ok());
                let moved = path.with_extension("moved");
                self.note(format!("move {name}"), fs::rename(&path, &moved).is_ok());
                self.note(format!("remove {name}"), fs::remove_file(&path).is_ok());
                self.note(
                    format!("open {name} to all"),
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).is_ok(),
                );
                self.note(format!("a link to {name}"), fs::hard_link(&path, "/tmp/flash-sale-link").is_ok());
                let new = path.join("new");
                self.note(format!("a file in {name}"), File::create(&new).is_ok());
                self.note(format!("a link in {name}"), symlink("/etc/passwd", &new).is_ok());
                let pipe = mknodat(CWD, &new, FileType::Fifo, Mode::RWXU, 0);
                self.note(format!("a pipe in {name}"), pipe.is_ok());
            }
            for pid in self.order.pids.clone() {
                for file in ["environ", "mem", "maps", "cwd/static", "fd/2", "root/etc"] {
                    let path = format!("/proc/{pid}/{file}");
                    self.note(format!("read {path}"), File::open(path).is_ok());
                }
            }
            std::thread::sleep(PAUSE);
        }
    }

    pub(super) fn take_names(&mut self) {
        let mut taken = Vec::new();
        let ports = [5432, self.order.postgres];
        let of_postgres =
            ports.iter().flat_map(|port| [format!(".s.PGSQL.{port}"), format!(".s.PGSQL.{port}.lock")]);
        let ours = [
            "flash-sale",
            "flash-sale.lock",
            "control.sock",
            "lab.lock",
            "flash-sale-test-",
            "flash-sale-project-",
        ];
        let many = (0..2000).map(|number| format!("flash-sale-other-{number}"));
        for name in of_postgres.chain(ours.map(str::to_owned)).chain(many) {
            let path = Path::new("/tmp").join(name);
            self.loot.tries += 1;
            let pipe = mknodat(CWD, &path, FileType::Fifo, Mode::RWXU | Mode::RWXG | Mode::RWXO, 0);
            if pipe.is_ok() {
                taken.push(path);
            }
        }
        self.loot.held = taken.len() as u64;
        self.wait();
        for path in taken {
            fs::remove_file(path).unwrap();
        }
    }
}

fn add_all_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            add_all_in(&path, found);
        }
        found.push(path);
    }
}
