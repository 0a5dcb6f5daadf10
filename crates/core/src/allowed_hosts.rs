//! ALLOWED_HOSTS: the names that the shop answers to, besides those that no other site can have. Read by a
//! replica, and by the lab, which passes it on.

use crate::environment::{SettingError, optional_text};

/// Names of hosts, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// Reads the variable. Without it, no name is allowed.
    ///
    /// # Errors
    /// When it holds something else than names of hosts, separated by commas.
    pub fn from_environment() -> Result<Self, SettingError> {
        let value = optional_text("ALLOWED_HOSTS")?.unwrap_or_default();
        Self::parse(&value).ok_or_else(|| SettingError::Invalid {
            name: "ALLOWED_HOSTS",
            value,
            expected: "names of hosts without ports, as shop.example,www.shop.example".to_owned(),
        })
    }

    /// Names separated by commas, or `None` when one of them can't be a host's. Empty ones don't count, so that
    /// a list may be put together from several variables.
    pub fn parse(text: &str) -> Option<Self> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(normalized_name).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether this name, as [`normalized_name`] returns it, is in the list, or is `localhost` or below it: those
    /// mean this machine everywhere (RFC 6761, section 6.3).
    pub fn contains(&self, name: &str) -> bool {
        name == "localhost" || name.ends_with(".localhost") || self.0.iter().any(|allowed| allowed == name)
    }
}

/// The name of a host in lower case and without a dot at its end, or `None` when it can't be one: letters,
/// digits, `-` and `_` in labels of 1 to 63, 253 in all (RFC 1035, section 2.3.4).
pub fn normalized_name(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    (name.len() <= 253 && name.split('.').all(fits)).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_blanks_and_the_dot_at_the_end() {
        let hosts = AllowedHosts::parse(" Shop.Example. ,,gateway,").unwrap();

        assert!(hosts.contains("shop.example") && hosts.contains("gateway"));
        for other in ["example", "www.shop.example", "shop.example.evil", ""] {
            assert!(!hosts.contains(other), "{other}");
        }
    }

    #[test]
    fn localhost_and_what_is_below_it_need_no_setting() {
        let none = AllowedHosts::parse("").unwrap();

        assert!(none.contains("localhost") && none.contains("shop.localhost"));
        assert!(!none.contains("notlocalhost") && !none.contains("localhost.example"));
    }

    #[test]
    fn what_can_not_be_a_hosts_name_is_no_setting() {
        for text in
            ["shop.example:3000", "http://shop.example", "*.example", "shop..example", ".", "a b", "é"]
        {
            assert_eq!(AllowedHosts::parse(text), None, "{text}");
        }
        assert_eq!(AllowedHosts::parse(&"a".repeat(64)), None);
    }
}
