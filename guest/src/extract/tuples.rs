//! Several extractors, in the order of the manifest.

use crate::extract::{Declares, Extract, Needs, Request};
use crate::types::Denial;

macro_rules! tuple {
    ($($item:ident)*) => {
        #[allow(unused_variables, reason = "the empty tuple needs nothing")]
        impl<'a, R, $($item: Extract<'a, R>),*> Extract<'a, R> for ($($item,)*) {
            const DECLARES: Declares = Declares::NOTHING$(.and($item::DECLARES))*;

            fn declare(rule: &R, needs: &mut Needs) {
                $($item::declare(rule, needs);)*
            }

            fn extract(rule: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
                Ok(($($item::extract(rule, request)?,)*))
            }
        }
    };
}

tuple!();
tuple!(A);
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E);
tuple!(A B C D E F);
tuple!(A B C D E F G);
tuple!(A B C D E F G H);
tuple!(A B C D E F G H I);
tuple!(A B C D E F G H I J);
