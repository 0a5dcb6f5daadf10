//! What a picture is made of, as its template takes it.

use std::fmt;

/// Free room at the left of all lanes.
pub const LEFT: f64 = 14.0;
/// From the top of a lane to its bars.
pub const BAR_TOP: f64 = 22.0;
/// The height of a bar.
pub const BAR_HEIGHT: f64 = 28.0;

/// A length in a picture. One digit behind the point is enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pixels(pub f64);

impl fmt::Display for Pixels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.1}", self.0)
    }
}

/// Where the bars of a picture lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// To the rows of the table on the same page.
    SamePage,
    /// To the rows of the table on the click's own page.
    OwnPage,
    /// Nowhere: the picture is a file, and brings its own style.
    None,
}

/// Where a picture is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Room {
    /// On a page. It says as much as it can.
    Page,
    /// On a projector. It has fewer words, so that they are larger, and its clock goes at least so far, in milliseconds.
    Projector { horizon_ms: f64 },
}

impl Room {
    /// Free room at the right of all lanes. On a page, the last lane's ending stands there.
    pub fn right(self) -> f64 {
        match self {
            Self::Page => 190.0,
            Self::Projector { .. } => 20.0,
        }
    }

    /// A narrower picture is made so wide.
    pub fn least_width(self) -> f64 {
        match self {
            Self::Page => 0.0,
            Self::Projector { .. } => 960.0,
        }
    }

    /// Free room around the words of a bar, left and right together.
    pub fn padding(self) -> f64 {
        match self {
            Self::Page => 13.0,
            Self::Projector { .. } => 8.0,
        }
    }
}

/// All lanes of one replica.
pub struct Band {
    pub replica: String,
    pub y: Pixels,
    pub height: Pixels,
    pub lanes: Vec<DrawnLane>,
    pub folds: Vec<DrawnFold>,
}

/// One transaction.
pub struct DrawnLane {
    pub title: Text,
    pub letter: String,
    pub from: Pixels,
    pub to: Pixels,
    pub middle: Pixels,
    pub bars: Vec<Bar>,
    pub pauses: Vec<Text>,
    pub ending: Text,
    pub ending_class: &'static str,
}

/// One statement.
pub struct Bar {
    pub class: &'static str,
    pub x: Pixels,
    pub y: Pixels,
    pub width: Pixels,
    pub label: Text,
    pub notes: Vec<Text>,
    /// How much of the bar is a wait for a lock.
    pub wait: Option<Pixels>,
    pub href: Option<String>,
    /// All of it in words, for those who don't see the picture.
    pub says: String,
}

/// Lanes that are only counted.
pub struct DrawnFold {
    pub x: Pixels,
    pub y: Pixels,
    pub width: Pixels,
    pub label: Text,
    pub href: Option<String>,
}

/// Words at their place.
pub struct Text {
    pub x: Pixels,
    pub y: Pixels,
    pub words: String,
}

/// A curve with a point at its end.
pub struct Arrow {
    /// The curve, as SVG's `d`.
    pub path: String,
}

impl Text {
    /// These words at this place.
    pub fn at(x: f64, y: f64, words: impl Into<String>) -> Self {
        Self { x: Pixels(x), y: Pixels(y), words: words.into() }
    }
}

impl Arrow {
    /// From a wait to the statement that it waits for. Each place is where the bar is from the left, and where its lane
    /// is from the top.
    pub fn between((from_x, from_lane): (f64, f64), (to_x, to_lane): (f64, f64)) -> Self {
        let is_upwards = to_lane < from_lane;
        let from_y = from_lane + if is_upwards { BAR_TOP } else { BAR_TOP + BAR_HEIGHT };
        let to_y = to_lane + if is_upwards { BAR_TOP + BAR_HEIGHT + 2.0 } else { BAR_TOP - 2.0 };
        let middle = f64::midpoint(from_y, to_y);
        let [from_x, from_y, to_x, to_y, middle] = [from_x, from_y, to_x, to_y, middle].map(Pixels);
        Self { path: format!("M{from_x},{from_y} C{from_x},{middle} {to_x},{middle} {to_x},{to_y}") }
    }
}
