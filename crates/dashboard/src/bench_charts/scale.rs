//! Where a figure lies on an axis, and how it is written.

/// An axis has about so many steps.
const STEPS: f64 = 5.0;
/// With more figures at an axis, they would touch one another.
const MOST_TICKS: usize = 7;
/// Smaller than any distance that a person can see.
const NEARLY_0: f64 = 1e-9;

/// An axis that begins at 0, or one on which the same ratio is the same distance.
pub struct Scale {
    is_logarithmic: bool,
    least: f64,
    most: f64,
    /// The figures that are written at the axis.
    pub ticks: Vec<f64>,
}

impl Scale {
    /// From 0 to at least the largest of these figures, in round steps.
    pub fn linear(figures: impl Iterator<Item = f64>) -> Self {
        let largest = figures.fold(0.0, f64::max);
        let wanted = if largest > 0.0 { largest / STEPS } else { 1.0 };
        let power = 10_f64.powf(wanted.log10().floor());
        let step = [1.0, 2.0, 5.0].into_iter().map(|it| it * power).find(|step| *step >= wanted);
        let step = step.unwrap_or(10.0 * power);
        let steps = (largest / step).ceil().max(1.0) as usize;
        let ticks: Vec<f64> = (0..=steps).map(|number| number as f64 * step).collect();
        Self { is_logarithmic: false, least: 0.0, most: steps as f64 * step, ticks }
    }

    /// From a round figure below the smallest of these figures to one above the largest. The same ratio is the same
    /// distance on it. Figures that are not above 0 are not on it.
    pub fn logarithmic(figures: impl Iterator<Item = f64>) -> Self {
        let logarithms: Vec<f64> = figures.filter(|figure| *figure > 0.0).map(f64::log10).collect();
        let least = logarithms.iter().copied().fold(f64::INFINITY, f64::min);
        let (least, most) = if least.is_finite() {
            (least, logarithms.iter().copied().fold(least, f64::max))
        } else {
            (0.0, 1.0)
        };
        let powers = least.floor() as i32..=most.ceil() as i32 + 1;
        let steps = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|it| it * 10_f64.powi(power)));
        let mut ticks = around(steps.collect(), least, most);
        let ends = ticks.first().zip(ticks.last()).map(|(first, last)| (first.log10(), last.log10()));
        let (least, most) = ends.unwrap_or((least, most));
        if ticks.len() > MOST_TICKS {
            ticks.retain(|tick| (tick.log10() - tick.log10().round()).abs() < NEARLY_0);
        }
        Self { is_logarithmic: true, least, most, ticks }
    }

    /// Where the figure lies: 0 at the axis' begin, 1 at its end.
    pub fn place(&self, figure: f64) -> f64 {
        let figure = if self.is_logarithmic { figure.log10() } else { figure };
        ((figure - self.least) / (self.most - self.least)).clamp(0.0, 1.0)
    }
}

/// Those of the `steps` that are needed around figures with these logarithms: at least two.
fn around(steps: Vec<f64>, least: f64, most: f64) -> Vec<f64> {
    let first = steps.iter().rposition(|step| step.log10() <= least + NEARLY_0).unwrap_or(0);
    let last = steps.iter().position(|step| step.log10() >= most - NEARLY_0).unwrap_or(steps.len() - 1);
    steps[first..=last.max(first + 1).min(steps.len() - 1)].to_vec()
}

/// A figure as it is written: at least two digits.
pub fn figure(figure: f64) -> String {
    if figure >= 10.0 || figure.fract() == 0.0 {
        format!("{figure:.0}")
    } else if figure >= 1.0 {
        format!("{figure:.1}")
    } else {
        format!("{figure:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_figure_that_nothing_passes() {
        for (largest, step, last) in
            [(1230.0, 500.0, 1500.0), (100.0, 20.0, 100.0), (0.7, 0.2, 0.8), (49.0, 10.0, 50.0)]
        {
            let scale = Scale::linear([largest, 0.1].into_iter());

            assert!((scale.ticks[1] - step).abs() < 1e-9, "{largest}: {:?}", scale.ticks);
            assert!((scale.ticks.last().unwrap() - last).abs() < 1e-9, "{largest}: {:?}", scale.ticks);
            assert!(scale.place(largest) <= 1.0 && scale.place(last / 2.0) == 0.5, "{largest}");
        }
        assert_eq!(Scale::linear(std::iter::empty()).ticks, [0.0, 1.0]);
    }

    #[test]
    fn on_a_logarithmic_scale_the_same_ratio_is_the_same_distance() {
        let scale = Scale::logarithmic([0.0, 1.3, 7300.0].into_iter());

        assert_eq!(scale.ticks, [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!((scale.place(1.0), scale.place(100.0), scale.place(10_000.0)), (0.0, 0.5, 1.0));
        let scale = Scale::logarithmic([4.0, 4999.0].into_iter());
        assert_eq!((scale.ticks.as_slice(), scale.place(5000.0)), ([10.0, 100.0, 1000.0].as_slice(), 1.0));
        assert_eq!(scale.place(0.0), 0.0, "what has no logarithm stays on the chart");
        let ticks = |figures: &[f64]| Scale::logarithmic(figures.iter().copied()).ticks;
        assert_eq!(ticks(&[90.0, 2417.0]), [50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0]);
        assert_eq!(ticks(&[10.0]), [10.0, 20.0]);
        assert_eq!(ticks(&[1e9]), [1e9, 2e9]);
        assert_eq!(ticks(&[]), [1.0, 2.0, 5.0, 10.0]);
    }

    #[test]
    fn a_figure_has_at_least_two_digits() {
        let written = [1234.4, 12.3, 9.87, 0.456, 5.0, 0.0].map(figure);

        assert_eq!(written, ["1234", "12", "9.9", "0.46", "5", "0"]);
    }
}
