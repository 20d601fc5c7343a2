//! The strategy that a request asks for, completed by what is configured. Pure; tested in place.

use tandem_core::base::Amount;
use tandem_core::spec::{DeploySpec, Strategy, StrategyKind};

use super::StrategyChoice;

/// What may be said of a strategy.
#[derive(PartialEq)]
enum Part {
    Batch,
    Warm,
    Steps,
}

impl StrategyChoice {
    /// The strategy for a pool of `instances`.
    ///
    /// # Errors
    /// For people: parameters of another strategy, or such that nothing could ever move.
    pub(crate) fn resolve(&self, deploy: &DeploySpec, instances: u32) -> Result<Strategy, String> {
        let kind = self.strategy.unwrap_or(deploy.strategy);
        match deploy.strategy(kind) {
            Strategy::Rolling(mut rolling) => {
                self.is_only_for(kind, &[Part::Batch])?;
                rolling.batch = self.batch.unwrap_or(rolling.batch);
                rolling.surge = self.surge.or(rolling.surge);
                rolling.floor = self.floor.or(rolling.floor);
                if rolling.batch == Amount::Count(0) || rolling.batch == Amount::Percent(0) {
                    return Err("`batch` is 0: nothing would ever be replaced".to_owned());
                }
                let surge = rolling.surge.unwrap_or(rolling.batch).of_rounded_up(instances);
                let floor = rolling.floor.map_or(0, |floor| floor.of_rounded_up(instances));
                if floor > instances {
                    return Err(format!(
                        "`floor` is {floor}, more than the {instances} instances that are wanted"
                    ));
                }
                if floor == instances && surge == 0 {
                    return Err(format!(
                        "`floor` keeps all {instances} instances and `surge` allows no more: nothing could ever be \
                         replaced"
                    ));
                }
                Ok(Strategy::Rolling(rolling))
            }
            Strategy::Flip(mut flip) => {
                self.is_only_for(kind, &[Part::Warm])?;
                flip.warm = self.warm.unwrap_or(flip.warm);
                Ok(Strategy::Flip(flip))
            }
            Strategy::Canary(mut canary) => {
                self.is_only_for(kind, &[Part::Warm, Part::Steps])?;
                canary.warm = self.warm.unwrap_or(canary.warm);
                canary.steps = self.steps.clone().unwrap_or(canary.steps);
                match canary.problem() {
                    Some(problem) => Err(format!("the steps {problem}")),
                    None => Ok(Strategy::Canary(canary)),
                }
            }
        }
    }

    /// Refuses what is said of another strategy.
    fn is_only_for(&self, kind: StrategyKind, parts: &[Part]) -> Result<(), String> {
        let batch = self.batch.is_some() || self.surge.is_some() || self.floor.is_some();
        let said = [
            (batch, Part::Batch, "`batch`, `surge` and `floor` are for the strategy rolling"),
            (self.warm.is_some(), Part::Warm, "`warm` is for the strategies flip and canary"),
            (self.steps.is_some(), Part::Steps, "`steps` are for the strategy canary"),
        ];
        let foreign = said.into_iter().find(|(is_said, part, _)| *is_said && !parts.contains(part));
        foreign.map_or(Ok(()), |(_, _, what)| Err(format!("{what}, not for {}", kind.name())))
    }

    /// The choice of a strategy and nothing more.
    pub fn of(strategy: StrategyKind) -> StrategyChoice {
        StrategyChoice { strategy: Some(strategy), ..StrategyChoice::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(choice: StrategyChoice) -> Result<Strategy, String> {
        choice.resolve(&DeploySpec::default(), 4)
    }

    #[test]
    fn what_is_not_said_is_as_configured() {
        let configured = DeploySpec::default();
        assert_eq!(resolve(StrategyChoice::default()), Ok(configured.strategy(configured.strategy)));
        let two =
            StrategyChoice { batch: Some(Amount::Count(2)), ..StrategyChoice::of(StrategyKind::Rolling) };
        assert!(matches!(resolve(two), Ok(Strategy::Rolling(r)) if r.batch == Amount::Count(2)));
    }

    #[test]
    fn what_could_never_move_is_refused() {
        let rolling = StrategyChoice::of(StrategyKind::Rolling);
        let all = Some(Amount::Percent(100));
        let none = Some(Amount::Count(0));
        assert!(resolve(StrategyChoice { batch: none, ..rolling.clone() }).is_err());
        assert!(resolve(StrategyChoice { floor: all, surge: none, ..rolling.clone() }).is_err());
        assert!(resolve(StrategyChoice { floor: Some(Amount::Count(5)), ..rolling.clone() }).is_err());
        assert!(resolve(StrategyChoice { floor: all, ..rolling }).is_ok());
        assert!(resolve(StrategyChoice { batch: all, ..StrategyChoice::of(StrategyKind::Flip) }).is_err());
        let steps = |steps: &[&str]| Some(steps.iter().map(|step| step.parse().unwrap()).collect());
        let canary =
            |said| resolve(StrategyChoice { steps: said, ..StrategyChoice::of(StrategyKind::Canary) });
        assert!(canary(steps(&["50% for 1m", "5% for 1m"])).is_err());
        assert!(matches!(canary(steps(&["5% for 1m"])), Ok(Strategy::Canary(c)) if c.steps.len() == 1));
        let flip = StrategyChoice { steps: steps(&["5% for 1m"]), ..StrategyChoice::of(StrategyKind::Flip) };
        assert_eq!(resolve(flip), Err("`steps` are for the strategy canary, not for flip".to_owned()));
    }
}
