//! The call of a policy's `check`.
#![allow(unsafe_code, reason = "the one place that calls a guest without comparing types anew")]

use crate::policy::bindings::barmkin::policy::types as wire;
use crate::policy::component::CONTRACT;
use crate::policy::sandbox::Sandbox;
use wasmtime::component::{Component, ComponentExportIndex, Instance, InstancePre, TypedFunc};
use wasmtime::{Error, Result, Store};

/// Where the `check` of a component is.
pub(super) struct Check(ComponentExportIndex);

type Parameters<'a> = (wire::Input<'a>,);
type Results = (wire::Decision,);

impl Check {
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

    /// Calls it in a fresh instance.
    pub(super) fn call(
        &self,
        image: &InstancePre<Sandbox>,
        store: &mut Store<Sandbox>,
        input: wire::Input<'_>,
    ) -> Result<wire::Decision> {
        let instance = image.instantiate(&mut *store)?;
        self.call_in(&instance, store, input)
    }

    /// Calls it in an instance that there is.
    pub(super) fn call_in(
        &self,
        instance: &Instance,
        store: &mut Store<Sandbox>,
        input: wire::Input<'_>,
    ) -> Result<wire::Decision> {
        let (decision,) = self.of(instance, store)?.call(store, (input,))?;
        Ok(decision)
    }

    /// As [`call`](Self::call), on a stack that can be suspended.
    pub(super) async fn call_async(
        &self,
        image: &InstancePre<Sandbox>,
        store: &mut Store<Sandbox>,
        input: wire::Input<'_>,
    ) -> Result<wire::Decision> {
        let instance = image.instantiate_async(&mut *store).await?;
        let (decision,) = self.of(&instance, store)?.call_async(store, (input,)).await?;
        Ok(decision)
    }

    fn of<'a>(&self, instance: &Instance, store: &mut Store<Sandbox>) -> Result<TypedFunc<Parameters<'a>, Results>> {
        let function = instance.get_func(store, self.0).ok_or_else(|| Error::msg("it exports no `check`"))?;
        // SAFETY (checked type): what configured this component compared the
        // type of its `check` with the contract's, and the snapshotter changes
        // no types. Comparing the names of all fields of all records again for
        // each request would cost more than the call.
        Ok(unsafe { TypedFunc::new_unchecked(function) })
    }
}
