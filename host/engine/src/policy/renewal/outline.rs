//! A component as its modules are put together in it.

use super::{NotRenewed, Section, allowed, at, malformed};
use crate::engine::features;
use std::ops::Range;
use wasmparser::types::Types;
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, Encoding, ExternalKind, Instance,
    Parser, Payload, Validator,
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
    lifts: Vec<Lift>,
    /// Core functions that are called in another way than by being lifted.
    called: Vec<u32>,
    /// Core instances that are passed to others with every export.
    given: Vec<u32>,
}

/// A function that the component lifts: the core function that is called, and
/// the one that is called once its results were read.
struct Lift {
    entry: u32,
    post_return: Option<u32>,
}

/// Names of the exports of one module that only the host calls:
/// those that calls enter by, and their post-return functions.
pub(super) struct Calls<'a> {
    pub(super) entries: Vec<&'a str>,
    pub(super) post_returns: Vec<&'a str>,
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
                payload => allowed::section_that_only_names(&payload)?,
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
        allowed::section_of_component(&payload)?;
        self.sections.extend(payload.as_section());
        match payload {
            Payload::ModuleSection { unchecked_range, .. } => self.modules.push(unchecked_range),
            Payload::InstanceSection(section) => {
                for instance in section {
                    self.note_instance(&instance.map_err(malformed)?);
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    allowed::component_import(&import.map_err(malformed)?.ty)?;
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    allowed::component_export(export.map_err(malformed)?.kind)?;
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
            _ => {}
        }
        Ok(())
    }

    fn note_instance(&mut self, instance: &Instance<'a>) {
        self.instances.push(match instance {
            Instance::Instantiate { module_index, args } => {
                self.given.extend(args.iter().map(|given| given.index));
                Some(*module_index)
            }
            Instance::FromExports(exports) => {
                let is_function = |kind| matches!(kind, ExternalKind::Func | ExternalKind::FuncExact);
                let functions = exports.iter().filter(|export| is_function(export.kind));
                self.called.extend(functions.map(|export| export.index));
                None
            }
        });
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
        let (CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. }) = function else {
            return Err("it has resources");
        };
        let mut post_return = None;
        for option in options {
            allowed::option(option)?;
            match option {
                CanonicalOption::PostReturn(function) => post_return = Some(*function),
                CanonicalOption::Realloc(function) => self.called.push(*function),
                _ => {}
            }
        }
        match function {
            CanonicalFunction::Lift { core_func_index: entry, .. } => {
                self.lifts.push(Lift { entry: *entry, post_return });
            }
            _ => self.functions.push(None),
        }
        Ok(())
    }

    /// The calls into module `main`, if there are no others into the component.
    pub(super) fn calls_into(&self, main: usize) -> Result<Calls<'a>, NotRenewed> {
        let is_main = |module: &Option<u32>| module.is_some_and(|module| usize::try_from(module) == Ok(main));
        let mut of_main = (0..).zip(&self.instances).filter(|(_, module)| is_main(module));
        let (Some((instance, _)), None) = (of_main.next(), of_main.next()) else {
            return Err("its module is not instantiated exactly once");
        };
        let export = |function: u32, elsewhere: NotRenewed| match at(&self.functions, function)? {
            Some((of, name)) if *of == instance => Ok(*name),
            _ => Err(elsewhere),
        };
        let mut calls = Calls { entries: Vec::new(), post_returns: Vec::new() };
        for Lift { entry, post_return } in &self.lifts {
            let post_return = post_return.ok_or("a call into it has no post-return function")?;
            calls.entries.push(export(*entry, "a call enters it by another module")?);
            calls.post_returns.push(export(post_return, "a post-return function is of another module")?);
        }
        let is_of_a_call = |name: &str| calls.entries.contains(&name) || calls.post_returns.contains(&name);
        let otherwise = |function: &u32| export(*function, "").is_ok_and(is_of_a_call);
        if self.given.contains(&instance) || self.called.iter().any(otherwise) {
            return Err("another module can call what the host calls");
        }
        if calls.entries.iter().any(|entry| calls.post_returns.contains(entry)) {
            return Err("a post-return function is called for itself");
        }
        Ok(calls)
    }
}
