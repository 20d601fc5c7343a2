//! The strategy that a request asks for, completed by what is configured. Pure; tested in place.

use tandem_core::base::Amount;
use tandem_core::spec::{DeploySpec, Strategy, StrategyKind};

use super::StrategyChoice;

impl StrategyChoice {
    /// The strategy for a pool of `instances`.
    ///
    /// # Errors
    /// For people: parameters of another strategy, or such that nothing could ever move.
    pub(crate) fn resolve(&self, deploy: &DeploySpec, instances: u32) -> Result<Strategy, String> {
        let kind = self.strategy.unwrap_or(deploy.strategy);
        match deploy.strategy(kind) {
            Strategy::Rolling(mut rolling) => {
                if self.warm.is_some() {
                    return Err("`warm` is for the strategy flip, not for rolling".to_owned());
                }
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
                if self.batch.is_some() || self.surge.is_some() || self.floor.is_some() {
                    return Err(
                        "`batch`, `surge` and `floor` are for the strategy rolling, not for flip".to_owned()
                    );
                }
                flip.warm = self.warm.unwrap_or(flip.warm);
                Ok(Strategy::Flip(flip))
            }
        }
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
        assert!(resolve(StrategyChoice { batch: none, ..rolling }).is_err());
        assert!(resolve(StrategyChoice { floor: all, surge: none, ..rolling }).is_err());
        assert!(resolve(StrategyChoice { floor: Some(Amount::Count(5)), ..rolling }).is_err());
        assert!(resolve(StrategyChoice { floor: all, ..rolling }).is_ok());
        assert!(resolve(StrategyChoice { batch: all, ..StrategyChoice::of(StrategyKind::Flip) }).is_err());
    }
}
