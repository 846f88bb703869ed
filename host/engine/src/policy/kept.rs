//! Instances that are used again: the price of a fresh one is what they save.

use crate::policy::bindings::barmkin::policy::types as wire;
use crate::policy::failure::{Failure, failure_of};
use crate::policy::image::Image;
use crate::policy::sandbox::{Sandbox, limit};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use wasmtime::Store;
use wasmtime::component::Instance;

/// Guests never clean up behind themselves, and would run out of memory.
const USES_MAX: u32 = 32;

/// At most one instance, and whether there should be one.
#[derive(Default)]
pub(super) struct Kept {
    wanted: AtomicBool,
    instance: Mutex<Option<KeptInstance>>,
}

struct KeptInstance {
    store: Store<Sandbox>,
    instance: Instance,
    uses_left: u32,
}

impl Kept {
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub(super) fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
        self.instance.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(super) fn ask(
        &self,
        image: &Image,
        mut sandbox: Sandbox,
        input: wire::Input<'_>,
    ) -> (Sandbox, Result<wire::Decision, Failure>) {
        let mut kept = self.instance.lock().unwrap_or_else(PoisonError::into_inner);
        let mut used = match kept.take() {
            Some(mut used) => {
                mem::swap(used.store.data_mut(), &mut sandbox);
                used
            }
            None => {
                // What stays in the store between two requests.
                let idle = sandbox.idle();
                let mut store = Store::new(image.pre.engine(), mem::replace(&mut sandbox, idle));
                limit(&mut store, false);
                match image.pre.instantiate(&mut store) {
                    Ok(instance) => KeptInstance { store, instance, uses_left: USES_MAX },
                    Err(error) => {
                        let failure = failure_of(store.data(), &error);
                        return (store.into_data(), Err(failure));
                    }
                }
            }
        };
        used.store.set_epoch_deadline(1);
        let decision = image.check.call_in(&used.instance, &mut used.store, input);
        let result = decision.map_err(|error| failure_of(used.store.data(), &error));
        mem::swap(used.store.data_mut(), &mut sandbox);
        used.uses_left -= 1;
        if result.is_ok() && used.uses_left > 0 {
            *kept = Some(used);
        }
        (sandbox, result)
    }
}
