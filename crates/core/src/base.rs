//! The small values that all other modules speak in: names, ids, time, counts out of a whole.
//!
//! Knows nothing else of Tandem. Tested in place.

mod amount;
mod grouped;
mod id;
mod image;
mod label;
mod network;
mod price;
mod share;
mod time;

pub use amount::{Amount, AmountError};
pub use grouped::Grouped;
pub use id::{
    DeploymentId, Digest, Generation, IdError, InstanceId, Revision, ServiceName, VersionKey, VersionLabel,
};
pub use image::{ImageReference, NotAnImage};
pub use label::label_of;
pub use network::{Network, NotANetwork};
pub use price::{Price, PriceError};
pub use share::{Share, ShareError};
pub use time::{Millis, ParseMillisError, Timestamp};
