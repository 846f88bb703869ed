//! A core module, and all of it that can change.

use super::outline::Calls;
use super::{MALFORMED, NotRenewed, allowed, at, malformed};
use crate::engine::WARM_BYTES_MAX;
use crate::policy::component::PAGE_BYTES;
use wasmparser::{
    CompositeInnerType, ConstExpr, Data, DataKind, Export, ExternalKind, FuncType, FunctionBody, Global, Import,
    MemoryType, Operator, Parser, Payload, SubType, TypeRef, ValType,
};

/// The parts of a module that matter to its state.
#[derive(Default)]
pub(super) struct Module<'a> {
    pub(super) bytes: &'a [u8],
    types: Vec<SubType>,
    /// Of each function, imported ones first, its type.
    pub(super) functions: Vec<u32>,
    has_functions: bool,
    exports: Vec<Export<'a>>,
    pub(super) globals: u32,
    /// Globals that can change, and what each begins with.
    pub(super) mutable: Vec<(u32, Constant)>,
    memories: usize,
    imports_memory: bool,
    pub(super) memory_bytes: usize,
    pub(super) segments: u32,
    /// The memory's first contents, up to the last byte that a segment sets.
    image: Vec<u8>,
}

/// The initial value of a global.
#[derive(Clone, Copy)]
pub(super) enum Constant {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
}

impl<'a> Module<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, NotRenewed> {
        let mut module = Self { bytes, ..Self::default() };
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(malformed)?;
            allowed::section_of_module(&payload)?;
            match payload {
                Payload::TypeSection(section) => {
                    for group in section {
                        module.types.extend(group.map_err(malformed)?.into_types());
                    }
                }
                Payload::ImportSection(section) => {
                    section.into_imports().try_for_each(|import| module.note_import(import.map_err(malformed)?))?;
                }
                Payload::FunctionSection(section) => {
                    module.has_functions = section.count() > 0;
                    for function in section {
                        module.functions.push(function.map_err(malformed)?);
                    }
                }
                Payload::MemorySection(section) => {
                    section.into_iter().try_for_each(|memory| module.note_memory(memory.map_err(malformed)?))?;
                }
                Payload::GlobalSection(section) => {
                    section.into_iter().try_for_each(|global| module.note_global(&global.map_err(malformed)?))?;
                }
                Payload::ExportSection(section) => {
                    module.exports = section.into_iter().collect::<Result<_, _>>().map_err(malformed)?;
                }
                Payload::CodeSectionEntry(body) => check_code(&body)?,
                Payload::DataSection(section) => {
                    section.into_iter().try_for_each(|data| module.note_data(&data.map_err(malformed)?))?;
                }
                _ => {}
            }
        }
        Ok(module)
    }

    /// Whether anything in it can change.
    pub(super) fn has_state(&self) -> bool {
        self.memories > 0 || self.segments > 0 || !self.mutable.is_empty()
    }

    fn note_import(&mut self, import: Import<'_>) -> Result<(), NotRenewed> {
        allowed::import(&import.ty)?;
        match import.ty {
            TypeRef::Func(function) => self.functions.push(function),
            TypeRef::Global(_) => self.globals += 1,
            TypeRef::Memory(_) => self.imports_memory = true,
            _ => {}
        }
        Ok(())
    }

    fn note_memory(&mut self, memory: MemoryType) -> Result<(), NotRenewed> {
        allowed::memory(&memory)?;
        if self.memories > 0 {
            return Err("it has more than one memory");
        }
        self.memories += 1;
        let pages = usize::try_from(memory.initial).map_err(|_| MALFORMED)?;
        self.memory_bytes = pages.checked_mul(PAGE_BYTES).ok_or(MALFORMED)?;
        Ok(())
    }

    fn note_global(&mut self, global: &Global<'_>) -> Result<(), NotRenewed> {
        if global.ty.mutable {
            self.mutable.push((self.globals, constant(&global.init_expr)?));
        }
        self.globals += 1;
        Ok(())
    }

    fn note_data(&mut self, data: &Data<'_>) -> Result<(), NotRenewed> {
        self.segments += 1;
        let DataKind::Active { offset_expr, .. } = &data.kind else { return Ok(()) };
        let Constant::I32(offset) = constant(offset_expr)? else { return Err(MALFORMED) };
        let start = usize::try_from(offset.cast_unsigned()).map_err(|_| MALFORMED)?;
        let end = start.checked_add(data.data.len()).filter(|end| *end <= self.memory_bytes);
        let end = end.ok_or("a segment is not within the memory")?;
        self.image.resize(self.image.len().max(end), 0);
        self.image.get_mut(start..end).ok_or(MALFORMED)?.copy_from_slice(data.data);
        Ok(())
    }

    /// Refuses what could be restored after each check, but is not.
    pub(super) fn check(&self) -> Result<(), NotRenewed> {
        if self.memories == 0 || self.imports_memory {
            return Err("its memory is not its own");
        }
        if self.memory_bytes > WARM_BYTES_MAX {
            return Err("it begins with more memory than is put back for each check");
        }
        if !self.has_functions {
            return Err("it has no functions of its own");
        }
        Ok(())
    }

    /// The type of the post-return functions: they are given the address of a
    /// result and return nothing.
    pub(super) fn type_of_post_returns(&self, calls: &Calls<'_>) -> Result<u32, NotRenewed> {
        let mut of_all = Err("nothing can be called in it");
        for name in &calls.post_returns {
            let (_, index, function) = self.exported(name)?;
            if function.params() != [ValType::I32] || !function.results().is_empty() {
                return Err("a post-return function is of another type");
            }
            of_all = Ok(index);
        }
        of_all
    }

    /// The function that is exported as `name`, the index of its type, and
    /// the type.
    pub(super) fn exported(&self, name: &str) -> Result<(u32, u32, &FuncType), NotRenewed> {
        let is_it = |export: &&Export<'_>| export.kind == ExternalKind::Func && export.name == name;
        let function = self.exports.iter().find(is_it).ok_or(MALFORMED)?.index;
        let index = *at(&self.functions, function)?;
        match &at(&self.types, index)?.composite_type.inner {
            CompositeInnerType::Func(function_type) => Ok((function, index, function_type)),
            _ => Err(MALFORMED),
        }
    }

    /// The bytes of the image that are not zero, and what is between them.
    pub(super) fn written(&self) -> (usize, &[u8]) {
        let start = self.image.iter().position(|byte| *byte != 0).unwrap_or(self.image.len());
        let end = self.image.iter().rposition(|byte| *byte != 0).map_or(start, |last| last + 1);
        (start, self.image.get(start..end).unwrap_or_default())
    }
}

fn check_code(body: &FunctionBody<'_>) -> Result<(), NotRenewed> {
    for operator in body.get_operators_reader().map_err(malformed)? {
        allowed::operator(&operator.map_err(malformed)?)?;
    }
    Ok(())
}

fn constant(expression: &ConstExpr<'_>) -> Result<Constant, NotRenewed> {
    let mut operators = expression.get_operators_reader();
    let constant = match operators.read().map_err(malformed)? {
        Operator::I32Const { value } => Constant::I32(value),
        Operator::I64Const { value } => Constant::I64(value),
        Operator::F32Const { value } => Constant::F32(value.bits()),
        Operator::F64Const { value } => Constant::F64(value.bits()),
        _ => return Err("a global or a segment begins with what is computed"),
    };
    match operators.read().map_err(malformed)? {
        Operator::End => Ok(constant),
        _ => Err("a global or a segment begins with what is computed"),
    }
}
