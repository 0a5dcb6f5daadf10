//! Draws lanes: their bars, what stands in and below them, and the pauses between them.

use std::collections::BTreeMap;

use flash_sale_diagnosis::sql::{Verb, Words, label};
use flash_sale_wiretap::trace::Outcome;

use super::shapes::{BAR_HEIGHT, BAR_TOP, Bar, DrawnFold, DrawnLane, LEFT, Links, Pixels, Room, Text};
use crate::clock::{Clock, Span};
use crate::crowd::{Crowd, Fold};
use crate::lane::{Lane, Step};
use crate::notes::{count, note, waited};
use crate::waits::{blocked, holders_letter};

const FOLD_TOP: f64 = 8.0;
/// The width of a character, and a little more.
const CHARACTER: f64 = 6.9;
/// The same of the larger characters that a projector shows of a pause.
const LARGE_CHARACTER: f64 = 8.2;
/// A shorter pause has no words.
const LEAST_PAUSE_MS: f64 = 5.0;
/// A statement that has just begun is drawn with this length, in milliseconds.
const SHORTEST_MS: f64 = 0.001;
/// On a projector, a statement gets the room for its words within this time, in milliseconds. After that it grows
/// evenly.
const WORDS_MS: f64 = 1.0;
/// More statements of one lane are only counted.
const MOST_BARS: usize = 40;

/// What is needed to draw a lane.
pub struct Drawing<'a> {
    crowd: &'a Crowd<'a>,
    clock: &'a Clock,
    links: Links,
    room: Room,
    blocked: BTreeMap<(usize, Option<usize>), usize>,
}

impl<'a> Drawing<'a> {
    /// Draws the lanes of this click on this clock.
    pub fn new(crowd: &'a Crowd<'a>, clock: &'a Clock, links: Links, room: Room) -> Self {
        Self { crowd, clock, links, room, blocked: blocked(crowd) }
    }

    /// The lane at `place`, whose top is at `y`.
    pub fn lane(&self, place: usize, lane: &Lane, y: f64) -> DrawnLane {
        let steps = shown(lane);
        let bars: Vec<Bar> =
            steps.iter().enumerate().map(|(step, it)| self.bar(place, step, it, y)).collect();
        let between = steps.windows(2).map(|pair| (pair[0].ended_ms, pair[1].began_ms));
        let last_pause = self.crowd.goes_on(lane).then(|| steps.last()?.ended_ms).flatten();
        let pauses = between.chain(last_pause.map(|ended| (Some(ended), self.crowd.length_ms())));
        let pauses = pauses.filter_map(|(ended_ms, until_ms)| self.pause(ended_ms?, until_ms, y)).collect();
        let begin = steps.first().map_or(0.0, |step| step.began_ms);
        let end = match steps.last() {
            Some(_) if self.crowd.goes_on(lane) => self.crowd.length_ms(),
            last => last.map_or(begin, |step| end_ms(self.crowd, step)),
        };
        let middle = y + BAR_TOP + BAR_HEIGHT / 2.0;
        let (from, to) = (LEFT + self.clock.x(begin), LEFT + self.clock.x(end));
        let (title, ending) = match self.room {
            Room::Page => (self.title(place, lane, begin), Text::at(to + 8.0, middle + 4.0, lane.ending())),
            // Behind the letter. A lane that goes on has not ended.
            Room::Projector { .. } => {
                let words = if self.crowd.goes_on(lane) { String::new() } else { lane.ending() };
                let letter = 10.0 * lane.letter.len() as f64;
                (String::new(), Text::at(from + letter + 6.0, y + 14.0, words))
            }
        };
        DrawnLane {
            title: Text::at(from, y + 14.0, title),
            letter: lane.letter.clone(),
            from: Pixels(from),
            to: Pixels(to),
            middle: Pixels(middle),
            bars,
            pauses,
            ending,
            ending_class: ending_class(lane.outcome()),
        }
    }

    /// Folded lanes, whose top is at `y`.
    pub fn fold(&self, fold: &Fold, y: f64) -> DrawnFold {
        let steps = || fold.lanes.iter().flat_map(|lane| &lane.steps);
        let begin = steps().map(|step| step.began_ms).fold(f64::INFINITY, f64::min);
        let end = steps().map(|step| end_ms(self.crowd, step)).fold(0.0, f64::max);
        let (x, to) = (LEFT + self.clock.x(begin), LEFT + self.clock.x(end));
        let number = fold.lanes.first().map_or(0, |lane| lane.parts[0].number);
        DrawnFold {
            x: Pixels(x),
            y: Pixels(y + FOLD_TOP),
            width: Pixels((to - x).max(fold_width(fold))),
            label: Text::at(x + self.room.padding() / 2.0, y + FOLD_TOP + 18.0, fold_label(fold)),
            href: self.href(format!("f-{number}")),
        }
    }

    fn bar(&self, lane: usize, place: usize, step: &Step, y: f64) -> Bar {
        let end = end_ms(self.crowd, step);
        let (x, to) = (LEFT + self.clock.x(step.began_ms), LEFT + self.clock.x(end));
        let holder = holders_letter(self.crowd, step);
        // A statement that has not been answered still waits.
        let waits_until = step.statement.blocked_by.as_ref().map(|wait| match step.ended_ms {
            Some(ended) => ended.min(step.began_ms + wait.waited_ms),
            None => end,
        });
        let wait = waits_until.map(|until| LEFT + self.clock.x(until) - x);
        let below = notes(self.crowd, step, self.room);
        let blocks = self.blocked.get(&(lane, Some(place))).map(|number| blocks(*number));
        let lines = below.iter().chain(&blocks).enumerate();
        let notes =
            lines.map(|(line, words)| Text::at(x + 2.0, y + 64.0 + 14.0 * line as f64, words)).collect();
        let label = label(&step.statement.sql);
        let took = step
            .ended_ms
            .map_or("not answered yet".to_owned(), |end| format!("took {:.1} ms", end - step.began_ms));
        let mut says =
            vec![format!("{}: {label} at {:.1} ms, {took}", self.crowd.lanes[lane].letter, step.began_ms)];
        says.extend(waited(step, holder.as_deref()));
        says.extend(Some(note(step)).filter(|note| !note.is_empty()));
        says.extend(blocks);
        Bar {
            class: class(step),
            x: Pixels(x),
            y: Pixels(y + BAR_TOP),
            width: Pixels((to - x - 1.5).max(2.0)),
            label: Text::at(x + self.room.padding() / 2.0 - 1.0, y + BAR_TOP + 18.5, label),
            notes,
            wait: wait.map(|width| Pixels(width.max(0.0))),
            href: self.href(format!("s-{}-{}", step.transaction.number, step.place)),
            says: says.join(", "),
        }
    }

    /// On a projector, a pause has words when there is room for them.
    fn pause(&self, began_ms: f64, ended_ms: f64, y: f64) -> Option<Text> {
        let words = pause_words(ended_ms - began_ms)?;
        let (from, to) = (self.clock.x(began_ms), self.clock.x(ended_ms));
        let has_room = self.room == Room::Page || to - from >= words.chars().count() as f64 * LARGE_CHARACTER;
        has_room.then(|| Text::at(LEFT + f64::midpoint(from, to), y + BAR_TOP + 10.0, words))
    }

    fn title(&self, place: usize, lane: &Lane, begin_ms: f64) -> String {
        let mut title = format!("connection {}, from {begin_ms:.1} ms", lane.backend_pid);
        if lane.is_lone {
            title += ", no transaction";
        }
        let more = lane.left_out() + lane.steps.len().saturating_sub(MOST_BARS);
        if more > 0 {
            title += &format!(", {} not drawn", count(more, "more statement"));
        }
        if let Some(number) = self.blocked.get(&(place, None)) {
            title += &format!(", {}", blocks(*number));
        }
        title
    }

    fn href(&self, row: String) -> Option<String> {
        match self.links {
            Links::SamePage => Some(format!("#{row}")),
            Links::OwnPage => Some(format!("/clicks/{}#{row}", self.crowd.click.number)),
            Links::None => None,
        }
    }
}

/// The statements of a lane that are drawn.
pub fn shown<'l, 'a>(lane: &'l Lane<'a>) -> &'l [Step<'a>] {
    &lane.steps[..lane.steps.len().min(MOST_BARS)]
}

/// The room that a statement needs.
pub fn span_of(crowd: &Crowd, step: &Step, room: Room) -> Span {
    let (began_ms, end_ms) = (step.began_ms, end_ms(crowd, step));
    let label = label(&step.statement.sql);
    match room {
        Room::Page => {
            let words = notes(crowd, step, room).into_iter().chain([label]);
            let least_width = words.map(|words| width(&words, room)).fold(0.0, f64::max);
            Span { began_ms, ended_ms: end_ms, least_width }
        }
        // The words of a wait become longer with the wait, so they get no room of their own: the bar is long.
        Room::Projector { .. } => {
            let words = projected_note(step).into_iter().chain([label]);
            let least_width = words.map(|words| width(&words, room)).fold(0.0, f64::max);
            Span { began_ms, ended_ms: end_ms.min(began_ms + WORDS_MS), least_width }
        }
    }
}

/// The room that a pause of the application needs.
pub fn pause_between(before: &Step, after: &Step, room: Room) -> Span {
    let began_ms = before.ended_ms.unwrap_or(before.began_ms);
    let words = pause_words(after.began_ms - began_ms).filter(|_| room == Room::Page);
    let least_width = words.map_or(4.0, |words| width(&words, room));
    Span { began_ms, ended_ms: after.began_ms, least_width }
}

/// The room that folded lanes need.
pub fn fold_width(fold: &Fold) -> f64 {
    width(&fold_label(fold), Room::Page)
}

fn fold_label(fold: &Fold) -> String {
    let more = if fold.lanes.len() == 1 { "other" } else { "others" };
    format!("{} {more}: {}", fold.lanes.len(), fold.way)
}

fn notes(crowd: &Crowd, step: &Step, room: Room) -> Vec<String> {
    let holder = holders_letter(crowd, step);
    let note = match room {
        Room::Page => Some(note(step)).filter(|note| !note.is_empty()),
        Room::Projector { .. } => projected_note(step),
    };
    waited(step, holder.as_deref()).into_iter().chain(note).collect()
}

/// On a projector, an order stands at the end of its lane only.
fn projected_note(step: &Step) -> Option<String> {
    let has_order = step.transaction.order_id.is_some();
    let is_order = Words::of(&step.statement.sql).verb() == Verb::Insert && has_order;
    Some(note(step)).filter(|note| !note.is_empty() && !is_order)
}

fn blocks(number: usize) -> String {
    format!("blocks {}", count(number, "other"))
}

fn pause_words(ms: f64) -> Option<String> {
    (ms >= LEAST_PAUSE_MS).then(|| format!("{ms:.1} ms in the application"))
}

/// Where a bar ends. A statement that has not been answered goes on to the end of what is known. No bar is without a
/// length, because its place on the clock would then have no room for its words.
fn end_ms(crowd: &Crowd, step: &Step) -> f64 {
    step.ended_ms.unwrap_or_else(|| crowd.length_ms()).max(step.began_ms + SHORTEST_MS)
}

fn width(words: &str, room: Room) -> f64 {
    words.chars().count() as f64 * CHARACTER + room.padding()
}

fn class(step: &Step) -> &'static str {
    if step.statement.error.is_some() {
        return "failed";
    }
    match Words::of(&step.statement.sql).verb() {
        Verb::Select => "read",
        Verb::Insert | Verb::Update | Verb::Delete => "write",
        Verb::Begin | Verb::Commit | Verb::Savepoint => "frame",
        Verb::Rollback => "undo",
        Verb::Other => "other",
    }
}

fn ending_class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Committed => "committed",
        Outcome::RolledBack => "rolled-back",
        Outcome::Open | Outcome::Lost => "unsure",
    }
}
