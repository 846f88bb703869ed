//! A component as its modules are put together in it.

use super::{NotRenewed, Section, at, malformed};
use crate::engine::features;
use std::ops::Range;
use wasmparser::types::Types;
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentTypeRef, Encoding,
    ExternalKind, Instance, Parser, Payload, Validator,
};

/// The sections of a component, and how its core functions come about.
#[derive(Default)]
pub(super) struct Outline<'a> {
    pub(super) sections: Vec<Section>,
    pub(super) modules: Vec<Range<usize>>,
    /// Of each core instance, the module that it is of; none if it only
    /// names exports of others.
    instances: Vec<Option<u32>>,
    /// Of each core function, the core instance and the export that it is;
    /// none if the host made it.
    functions: Vec<Option<(u32, &'a str)>>,
    /// Of each function that the component lifts, the core function that is
    /// called at its end.
    ends: Vec<Option<u32>>,
}

impl<'a> Outline<'a> {
    pub(super) fn read(component: &'a [u8]) -> Result<Self, NotRenewed> {
        let types = Validator::new_with_features(features()).validate_all(component).map_err(malformed)?;
        let mut outline = Self::default();
        let mut open = Vec::new();
        for payload in Parser::new(0).parse_all(component) {
            let payload = payload.map_err(malformed)?;
            match payload {
                Payload::Version { encoding, .. } => open.push(encoding),
                Payload::End(_) => drop(open.pop()),
                // Modules are read one by one.
                _ if open.last() == Some(&Encoding::Module) => {}
                payload if open.len() == 1 => outline.note(payload)?,
                Payload::ModuleSection { .. }
                | Payload::InstanceSection(_)
                | Payload::ComponentCanonicalSection(_)
                | Payload::ComponentStartSection { .. } => return Err("a component within it runs code"),
                _ => {}
            }
        }
        outline.agrees_with(&types).then_some(outline).ok_or("the host does not know all that it is made of")
    }

    /// Whether the validator counts as this does: everything else depends on
    /// which function is meant by an index.
    fn agrees_with(&self, types: &Types) -> bool {
        (self.modules.len(), self.instances.len()) == (types.module_count(), types.core_instance_count())
            && u32::try_from(self.functions.len()) == Ok(types.as_ref().function_count())
    }

    fn note(&mut self, payload: Payload<'a>) -> Result<(), NotRenewed> {
        self.sections.extend(payload.as_section());
        match payload {
            Payload::ModuleSection { unchecked_range, .. } => self.modules.push(unchecked_range),
            Payload::InstanceSection(section) => {
                for instance in section {
                    self.instances.push(match instance.map_err(malformed)? {
                        Instance::Instantiate { module_index, .. } => Some(module_index),
                        Instance::FromExports(_) => None,
                    });
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    if let ComponentTypeRef::Module(_) = import.map_err(malformed)?.ty {
                        return Err("it imports a module");
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    if export.map_err(malformed)?.kind == ComponentExternalKind::Module {
                        return Err("it exports a module");
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.note_alias(alias.map_err(malformed)?)?;
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    self.note_canonical(&function.map_err(malformed)?)?;
                }
            }
            Payload::ComponentStartSection { .. } => return Err("it has a start function"),
            _ => {}
        }
        Ok(())
    }

    fn note_alias(&mut self, alias: ComponentAlias<'a>) -> Result<(), NotRenewed> {
        match alias {
            ComponentAlias::CoreInstanceExport { kind, instance_index, name } => match kind {
                ExternalKind::Func | ExternalKind::FuncExact => self.functions.push(Some((instance_index, name))),
                ExternalKind::Table | ExternalKind::Memory | ExternalKind::Global | ExternalKind::Tag => {}
            },
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. }
            | ComponentAlias::Outer { .. } => {
                return Err("it takes a module from elsewhere");
            }
            ComponentAlias::InstanceExport { .. } => {}
        }
        Ok(())
    }

    fn note_canonical(&mut self, function: &CanonicalFunction) -> Result<(), NotRenewed> {
        match function {
            CanonicalFunction::Lift { options, .. } => self.ends.push(options.iter().find_map(|option| match option {
                CanonicalOption::PostReturn(function) => Some(*function),
                _ => None,
            })),
            CanonicalFunction::Lower { .. } => self.functions.push(None),
            _ => return Err("it has resources"),
        }
        Ok(())
    }

    /// Names of the exports of module `main` that are called at the end of
    /// each call into the component.
    pub(super) fn ends_of_calls_into(&self, main: usize) -> Result<Vec<&'a str>, NotRenewed> {
        let is_main = |module: &Option<u32>| module.is_some_and(|module| usize::try_from(module) == Ok(main));
        if self.instances.iter().filter(|module| is_main(module)).count() != 1 {
            return Err("its module is not instantiated exactly once");
        }
        let end = |function: &Option<u32>| {
            let function = function.ok_or("a call into it has no end of its own")?;
            let (instance, name) = at(&self.functions, function)?.ok_or("a call into it ends outside")?;
            if is_main(at(&self.instances, instance)?) {
                Ok(name)
            } else {
                Err("a call into it ends in another module")
            }
        };
        self.ends.iter().map(end).collect()
    }
}
