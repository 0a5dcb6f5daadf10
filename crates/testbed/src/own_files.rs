//! The lab's own files and folders. Nobody else may read them, whatever the umask is, and they are never reached
//! through a link. Where PostgreSQL runs as another user, its folder belongs to that user. While root works there, that
//! user could replace any file by a link, by a pipe, or by another name of root's own file. So a file there is opened
//! first, as a handle, and looked at. Only then is it given away, used or removed.

mod files;
mod folders;
mod handles;

pub use files::{
    create, give_file, leave_to_owner_of, open_to_append, open_to_read, read_in, read_to_string, remove_in,
};
pub use folders::{
    give_folder, make_folder, make_folders, make_our_folder, mode_on_the_way, require_ours, take_folder_back,
};
pub use handles::open_folder;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::path::Path;

    use rustix::process::geteuid;

    use super::*;
    use crate::guard::User;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_is_there_with_another_mode_gets_the_right_one() {
        let folder = tempfile::tempdir().unwrap();
        let (log, inner) = (folder.path().join("log"), folder.path().join("a/b"));
        make_folders(&inner, 0o755).unwrap();
        drop(open_to_append(&log).unwrap());
        for path in [&log, &inner] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        }

        make_folders(&inner, 0o755).unwrap();
        drop(open_to_append(&log).unwrap());

        assert_eq!((mode(&log), mode(&inner)), (0o600, 0o755));
        assert_eq!(mode(inner.parent().unwrap()), mode_on_the_way());
    }

    #[test]
    fn a_link_is_neither_written_through_nor_given_away_nor_read() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("theirs"), folder.path().join("link"));
        fs::write(&file, "kept").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&file, &link).unwrap();
        let inner = folder.path().join("folder");
        symlink(folder.path(), &inner).unwrap();

        assert!(open_to_append(&link).is_err() && read_to_string(&link).is_err());
        assert!(open_folder(&inner).is_err());
        create(folder.path(), "link", None).unwrap().write_all(b"new").unwrap();

        assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
        assert_eq!((read_to_string(&link).unwrap().as_str(), mode(&link)), ("new", 0o600));
        assert_eq!(mode(&file), 0o644);
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_given_to_a_third() {
        if !geteuid().is_root() {
            return eprintln!("skipped: only root can give folders away");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder");
        make_folder(&path, 0o755).unwrap();
        let (one, other) = (User { uid: 4711, gid: 4711 }, User { uid: 4712, gid: 4712 });

        give_folder(&path, one).unwrap();
        give_folder(&path, one).unwrap();
        assert!(give_folder(&path, other).is_err());

        assert_eq!((fs::metadata(&path).unwrap().uid(), mode(&path)), (4711, 0o700));
        take_folder_back(&path, other).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().uid(), 4711);
        take_folder_back(&path, one).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().uid(), 0);
    }
}
