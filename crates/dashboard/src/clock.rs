//! The clock of a picture. All lanes share it. It is stretched where much happens, so that each statement is wide
//! enough for its words: a purchase has statements of half a millisecond and a pause of a hundred.

/// The part of the width that is shared out evenly, in pixels. The rest is what the words need.
const EVEN_WIDTH: f64 = 300.0;
/// Marks of the clock keep this distance, in pixels.
const BETWEEN_TICKS: f64 = 58.0;
/// The distances that marks may have, in milliseconds.
const STEPS_MS: [f64; 16] = [
    60_000.0, 20_000.0, 10_000.0, 5000.0, 2000.0, 1000.0, 500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0,
    1.0, 0.5,
];
/// Distances with more marks than this are not tried.
const MOST_TICKS: f64 = 2000.0;

/// A time that needs a width.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its beginning, in milliseconds.
    pub began_ms: f64,
    /// Its end, in milliseconds.
    pub ended_ms: f64,
    /// The least width, in pixels.
    pub least_width: f64,
}

/// Times in microseconds with their places in pixels. Both only grow.
#[derive(Clone, Debug)]
pub struct Clock(Vec<(i64, f64)>);

/// A mark of the clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Its place in pixels.
    pub x: f64,
    /// Its time, in milliseconds.
    pub ms: f64,
}

impl Clock {
    /// A clock on which each span has its width.
    pub fn fitting(spans: &[Span]) -> Self {
        let mut spans: Vec<(i64, i64, f64)> = spans
            .iter()
            .map(|span| {
                let began = microseconds(span.began_ms);
                (began, microseconds(span.ended_ms).max(began + 1), span.least_width)
            })
            .collect();
        spans.sort_by_key(|(_, ended, _)| *ended);
        let mut times: Vec<i64> =
            spans.iter().flat_map(|(began, ended, _)| [*began, *ended]).chain([0]).collect();
        times.sort_unstable();
        times.dedup();

        let length = times.last().map_or(1, |last| *last - times[0]).max(1);
        let even = EVEN_WIDTH / length as f64;
        let mut points: Vec<(i64, f64)> = Vec::with_capacity(times.len());
        let mut spans = spans.into_iter().peekable();
        for time in times {
            let mut x = points.last().map_or(0.0, |(before, x)| x + even * (time - before) as f64);
            while let Some((began, _, least)) = spans.next_if(|(_, ended, _)| *ended <= time) {
                let begins_at = points.binary_search_by_key(&began, |(time, _)| *time);
                // A span's beginning is one of the times, and is before its end.
                x = begins_at.map_or(x, |place| x.max(points[place].1 + least));
            }
            points.push((time, x));
        }
        Self(points)
    }

    /// The place of this time, in pixels.
    pub fn x(&self, ms: f64) -> f64 {
        let time = microseconds(ms);
        match self.0.binary_search_by_key(&time, |(time, _)| *time) {
            Ok(place) => self.0[place].1,
            Err(0) => 0.0,
            Err(place) if place == self.0.len() => self.width(),
            Err(place) => {
                let ((t0, x0), (t1, x1)) = (self.0[place - 1], self.0[place]);
                x0 + (x1 - x0) * (time - t0) as f64 / (t1 - t0) as f64
            }
        }
    }

    /// The place of the last time, in pixels.
    pub fn width(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, x)| *x)
    }

    /// Marks at round times: as many as there is room for.
    pub fn ticks(&self) -> Vec<Tick> {
        let length_ms = self.0.last().map_or(0.0, |(time, _)| *time as f64 / 1e3);
        let mut ticks = vec![Tick { x: self.x(0.0), ms: 0.0 }];
        for step in STEPS_MS.into_iter().filter(|step| length_ms / step <= MOST_TICKS) {
            for number in 1..=(length_ms / step) as u32 {
                let ms = f64::from(number) * step;
                let x = self.x(ms);
                if ticks.iter().all(|tick| (tick.x - x).abs() >= BETWEEN_TICKS) {
                    ticks.push(Tick { x, ms });
                }
            }
        }
        ticks.sort_by(|one, other| one.x.total_cmp(&other.x));
        ticks
    }
}

fn microseconds(ms: f64) -> i64 {
    (ms * 1e3).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(began_ms: f64, ended_ms: f64, least_width: f64) -> Span {
        Span { began_ms, ended_ms, least_width }
    }

    #[test]
    fn each_span_has_its_width_and_time_never_runs_backwards() {
        let spans =
            [span(0.0, 0.3, 50.0), span(0.3, 0.3, 80.0), span(0.1, 100.0, 40.0), span(99.0, 100.5, 60.0)];
        let clock = Clock::fitting(&spans);

        for span in spans {
            let end = clock.x(span.ended_ms.max(span.began_ms + 0.001));
            assert!(end - clock.x(span.began_ms) >= span.least_width - 0.01, "{span:?}");
        }
        let places: Vec<f64> = (0..=1005).map(|tenth| clock.x(f64::from(tenth) / 10.0)).collect();
        assert!(places.is_sorted(), "{places:?}");
        assert!(
            clock.ticks().iter().zip(clock.ticks().iter().skip(1)).all(|(a, b)| b.x - a.x >= BETWEEN_TICKS)
        );
    }

    #[test]
    fn a_clock_of_nothing_has_one_mark() {
        assert_eq!(Clock::fitting(&[]).ticks(), [Tick { x: 0.0, ms: 0.0 }]);
    }
}
