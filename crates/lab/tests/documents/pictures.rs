//! The pictures of timelines in README.md and DETONADO.md: they are whole, bring all that they need, and show the clicks
//! whose text the walkthrough prints.

use flash_sale_lab::guide::timeline::PrintedTimeline;
use flash_sale_lab::guide::{GUIDE, blocks, links, section};

use crate::read;

const BEFORE: &str = "static/guide/before.svg";
const AFTER: &str = "static/guide/after.svg";

#[test]
fn the_walkthrough_shows_a_click_before_the_edit_and_one_after_it() {
    let guide = read(GUIDE);
    let pictures_in = |document: &str, title: &str| -> Vec<String> {
        let section = section(document, title).unwrap_or_else(|| panic!("no section {title}"));
        links(section).filter(|link| link.ends_with(".svg")).map(str::to_owned).collect()
    };

    assert_eq!(pictures_in(&guide, "See the problem"), [BEFORE]);
    assert_eq!(pictures_in(&guide, "Verify the fix"), [AFTER]);
    assert_eq!(pictures_in(&read("README.md"), "What is wrong here"), [BEFORE]);
    assert!(!read("README.md").contains(AFTER), "README.md gives nothing away");
}

#[test]
fn each_picture_is_whole_and_brings_all_that_it_needs() {
    for path in [BEFORE, AFTER] {
        let picture = read(path);

        assert_eq!(problems(&picture), Vec::<String>::new(), "{path}");
        assert!(picture.contains("@media (prefers-color-scheme: dark)"), "{path}");
    }
}

#[test]
fn a_picture_that_is_broken_or_needs_something_else_is_noticed() {
    let picture = read(BEFORE);

    for (said, instead) in [
        ("</svg>", ""),
        ("</g>\n", "\n"),
        ("<rect class=\"paper\"", "<rect class=paper\""),
        ("<defs>", "<defs><script>alert(1)</script>"),
        ("<defs>", "<defs><image href=\"https://example.com/a.png\"/>"),
        ("<style>", "<style>@import 'a.css';"),
        ("<style>", "<style>.a { fill: url(http://example.com/a.svg#b); }"),
        ("saw quantity 1", "saw & quantity 1"),
    ] {
        let changed = picture.replacen(said, instead, 1);
        assert_ne!(changed, picture, "{said}");

        assert_ne!(problems(&changed), Vec::<String>::new(), "{said} → {instead}");
    }
}

/// Both are printed by make's target guide-pictures. Only the pictures are written to their files.
#[test]
fn the_walkthrough_prints_the_clicks_of_its_pictures() {
    let guide = read(GUIDE);
    for (title, path, last_row) in
        [("Diagnose it", BEFORE, ["-1", "2"]), ("Verify the fix", AFTER, ["0", "1"])]
    {
        let text = blocks(section(&guide, title).unwrap(), "timeline").next().expect(title);
        let timeline = PrintedTimeline::read(text).unwrap_or_else(|error| panic!("{title}: {error:#}"));
        let picture = read(path);

        assert_eq!(timeline.heads, ["A (replica-1)", "B (replica-2)"], "as in section 3");
        assert_eq!(timeline.rows.last().unwrap().counts, last_row, "{title}");
        let number = text.split(['\n', ',']).next().unwrap();
        assert!(picture.contains(&format!("{number}:")), "{path} is not of {number}");
        for row in &timeline.rows {
            let order = row.cells.iter().find_map(|cell| cell.split_once("order "));
            assert!(order.is_none_or(|(_, id)| picture.contains(id)), "{path}: {row:?}");
        }
    }
}

/// What keeps a picture from being shown in a page of another host.
pub fn problems(picture: &str) -> Vec<String> {
    let mut problems = not_well_formed(picture);
    for word in ["<script", "href", "src=", "@import", "http:", "https:", "url(data"] {
        // The name of SVG is written as an address. Nobody reads from there.
        let text = picture.replacen("xmlns=\"http://www.w3.org/2000/svg\"", "", 1);
        problems.extend(text.contains(word).then(|| format!("it has {word}")));
    }
    problems
}

/// Looks at the tags: each is closed in its turn, and has its attributes in quotes. And at the text: it has no bare `&`.
fn not_well_formed(picture: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    for part in picture.split('<').skip(1) {
        let Some((tag, text)) = part.split_once('>') else { return vec![format!("<{part} has no end")] };
        let inner = tag.trim_end_matches('/');
        let name = inner.split_whitespace().next().unwrap_or_default();
        if let Some(closed) = name.strip_prefix('/') {
            if open.pop() != Some(closed) {
                problems.push(format!("</{closed}> closes nothing"));
            }
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        let quotes = inner.split('"').skip(1).step_by(2).count();
        if inner.matches("=\"").count() != inner.matches('=').count()
            || quotes * 2 != inner.matches('"').count()
        {
            problems.push(format!("<{tag}> has an attribute without quotes"));
        }
        let is_escaped =
            |rest: &str| ["amp;", "lt;", "gt;", "quot;", "#"].iter().any(|end| rest.starts_with(end));
        if !text.split('&').skip(1).all(is_escaped) {
            problems.push(format!("{text:?} has a bare &"));
        }
    }
    problems.extend(open.iter().map(|name| format!("<{name}> is not closed")));
    problems
}
