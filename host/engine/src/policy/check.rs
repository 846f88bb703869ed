//! The call of a policy's `check`.
#![allow(unsafe_code, reason = "the one place that calls a guest without comparing types again")]

use crate::policy::bindings::barmkin::policy::types as wire;
use crate::policy::component::CONTRACT;
use crate::policy::sandbox::Sandbox;
use wasmtime::component::{Component, ComponentExportIndex, Func, Instance, TypedFunc};
use wasmtime::{Error, Result, Store};

/// Where the `check` of a component is.
pub(super) struct CheckIndex(ComponentExportIndex);

/// The `check` of an instance.
pub(super) struct Check(Func);

type Parameters<'a> = (wire::Input<'a>,);
type Results = (wire::Decision,);

impl CheckIndex {
    /// Finds `check` in a component whose [`type_check`](Self::type_check)
    /// passed.
    pub(super) fn find(component: &Component) -> Result<Self> {
        component
            .get_export_index(None, CONTRACT)
            .and_then(|interface| component.get_export_index(Some(&interface), "check"))
            .map(Self)
            .ok_or_else(|| Error::msg("it exports no `check`"))
    }

    /// Compares the type of `check` with the contract's.
    pub(super) fn type_check(instance: &Instance, store: &mut Store<Sandbox>) -> Result<()> {
        let index = instance
            .get_export_index(&mut *store, None, CONTRACT)
            .and_then(|interface| instance.get_export_index(&mut *store, Some(&interface), "check"))
            .ok_or_else(|| Error::msg("it exports no `check`"))?;
        instance.get_typed_func::<Parameters<'_>, Results>(store, index).map(drop)
    }

    /// The `check` of `instance`, which is of this component.
    pub(super) fn of(&self, instance: &Instance, store: &mut Store<Sandbox>) -> Result<Check> {
        instance.get_func(store, self.0).map(Check).ok_or_else(|| Error::msg("it exports no `check`"))
    }
}

impl Check {
    /// Calls it.
    ///
    /// INVARIANT (renewed): the decision is made of `String`s and `Vec`s.
    /// wasmtime lifts it before it calls the component's post-return function,
    /// which overwrites the memory that it was read from; both are done before
    /// this returns, and before [`call_async`](Self::call_async) does, since
    /// wasmtime runs the same call on another stack there.
    pub(super) fn call(&self, store: &mut Store<Sandbox>, input: wire::Input<'_>) -> Result<wire::Decision> {
        let (decision,) = self.typed().call(store, (input,))?;
        Ok(decision)
    }

    /// As [`call`](Self::call), on a stack that can be suspended.
    pub(super) async fn call_async(
        &self,
        store: &mut Store<Sandbox>,
        input: wire::Input<'_>,
    ) -> Result<wire::Decision> {
        let (decision,) = self.typed().call_async(store, (input,)).await?;
        Ok(decision)
    }

    fn typed<'a>(&self) -> TypedFunc<Parameters<'a>, Results> {
        // SAFETY (checked type): what configured this component compared the
        // type of its `check` with the contract's, and the snapshotter changes
        // no types. Comparing the names of all fields of all records again for
        // each request would cost more than the call.
        unsafe { TypedFunc::new_unchecked(self.0) }
    }
}
