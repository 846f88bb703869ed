//! A core module: its state, and how it gets the function that puts it back.

use super::{MALFORMED, NotRenewed, at, malformed};
use crate::engine::WARM_BYTES_MAX;
use crate::policy::component::PAGE_BYTES;
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ExportKind, ExportSection, Function, FunctionSection, Ieee32, Ieee64,
    InstructionSink, SectionId,
};
use wasmparser::{
    CodeSectionReader, CompositeInnerType, ConstExpr, Data, DataKind, DataSectionReader, Export, ExternalKind,
    FunctionBody, FunctionSectionReader, Global, Import, MemoryType, Operator, Parser, Payload, SubType, TypeRef,
    ValType,
};

/// What of a module matters to its state.
#[derive(Default)]
pub(super) struct Module<'a> {
    bytes: &'a [u8],
    types: Vec<SubType>,
    /// Of each function, imported ones first, its type.
    functions: Vec<u32>,
    has_functions: bool,
    exports: Vec<Export<'a>>,
    globals: u32,
    /// Globals that can change, and what each begins with.
    mutable: Vec<(u32, Constant)>,
    memories: usize,
    memory_bytes: usize,
    segments: u32,
    /// What the memory begins with, up to the last byte that a segment says.
    image: Vec<u8>,
}

/// What a global begins with.
#[derive(Clone, Copy)]
enum Constant {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
}

impl<'a> Module<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, NotRenewed> {
        let mut module = Self { bytes, ..Self::default() };
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(malformed)? {
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
                Payload::StartSection { .. } => return Err("a module has a start function"),
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
        match import.ty {
            TypeRef::Func(function) => self.functions.push(function),
            TypeRef::Global(_) => self.globals += 1,
            TypeRef::Memory(_) | TypeRef::Table(_) => {}
            TypeRef::Tag(_) | TypeRef::FuncExact(_) => return Err("a module imports what the host does not have"),
        }
        Ok(())
    }

    fn note_memory(&mut self, memory: MemoryType) -> Result<(), NotRenewed> {
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

    /// The module, with the exports called `ends` replaced by the function that
    /// puts its state back.
    pub(super) fn renewing(&self, ends: &[&str]) -> Result<Vec<u8>, NotRenewed> {
        if self.memories == 0 {
            return Err("it has no memory");
        }
        if self.memory_bytes > WARM_BYTES_MAX {
            return Err("it begins with more memory than is put back for each check");
        }
        if !self.has_functions {
            return Err("it has no functions of its own");
        }
        let mut putting_back = PuttingBack {
            module: self,
            ends,
            function_type: self.type_of(ends)?,
            function: u32::try_from(self.functions.len()).map_err(|_| MALFORMED)?,
            has_counted: false,
            has_data: false,
        };
        let mut module = wasm_encoder::Module::new();
        let done = putting_back.parse_core_module(&mut module, Parser::new(0), self.bytes);
        done.map_err(|_| "it cannot be written anew").map(|()| module.finish())
    }

    /// The type of the functions that are exported as `ends`: they are given
    /// the address of a result and return nothing.
    fn type_of(&self, ends: &[&str]) -> Result<u32, NotRenewed> {
        let function_type = |end: &&str| {
            let is_end = |export: &&Export<'_>| export.kind == ExternalKind::Func && export.name == *end;
            let export = self.exports.iter().find(is_end).ok_or(MALFORMED)?;
            let index = *at(&self.functions, export.index)?;
            match &at(&self.types, index)?.composite_type.inner {
                CompositeInnerType::Func(function)
                    if function.params() == [ValType::I32] && function.results().is_empty() =>
                {
                    Ok(index)
                }
                _ => Err("a call into it ends in a function of another type"),
            }
        };
        ends.iter().map(function_type).reduce(Result::and).ok_or("nothing can be called in it")?
    }

    /// The bytes of the image that are not zero, and what is between them.
    fn written(&self) -> (usize, &[u8]) {
        let start = self.image.iter().position(|byte| *byte != 0).unwrap_or(self.image.len());
        let end = self.image.iter().rposition(|byte| *byte != 0).map_or(start, |last| last + 1);
        (start, self.image.get(start..end).unwrap_or_default())
    }
}

/// Writes a module with one function and one segment more.
struct PuttingBack<'a> {
    module: &'a Module<'a>,
    ends: &'a [&'a str],
    function_type: u32,
    function: u32,
    has_counted: bool,
    has_data: bool,
}

impl PuttingBack<'_> {
    /// Zeros up to the image, the image, zeros to the end, and the globals.
    fn body(&self) -> Result<Function, Error> {
        let (start, written) = self.module.written();
        let address = |bytes: usize| u32::try_from(bytes).map(u32::cast_signed).map_err(|_| Error::InvalidConstExpr);
        let (end, memory_end) = (start + written.len(), self.module.memory_bytes);
        let mut code = Vec::new();
        let mut sink = InstructionSink::new(&mut code);
        for (from, to) in [(0, start), (end, memory_end)] {
            if from < to {
                sink.i32_const(address(from)?).i32_const(0).i32_const(address(to - from)?).memory_fill(0);
            }
        }
        if !written.is_empty() {
            sink.i32_const(address(start)?).i32_const(0).i32_const(address(written.len())?);
            sink.memory_init(0, self.module.segments);
        }
        for (global, constant) in &self.module.mutable {
            match *constant {
                Constant::I32(value) => sink.i32_const(value),
                Constant::I64(value) => sink.i64_const(value),
                Constant::F32(bits) => sink.f32_const(Ieee32::new(bits)),
                Constant::F64(bits) => sink.f64_const(Ieee64::new(bits)),
            }
            .global_set(*global);
        }
        sink.end();
        let mut function = Function::new([]);
        function.raw(code);
        Ok(function)
    }

    fn add_data(&mut self, data: &mut DataSection) {
        data.passive(self.module.written().1.iter().copied());
        self.has_data = true;
    }
}

impl Reencode for PuttingBack<'_> {
    type Error = Infallible;

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_function_section(self, functions, section)?;
        functions.function(self.function_type);
        Ok(())
    }

    fn parse_export(&mut self, exports: &mut ExportSection, export: Export<'_>) -> Result<(), Error> {
        if self.ends.contains(&export.name) {
            exports.export(export.name, ExportKind::Func, self.function);
            return Ok(());
        }
        utils::parse_export(self, exports, export)
    }

    fn data_count(&mut self, count: u32) -> Result<u32, Error> {
        self.has_counted = true;
        Ok(count + 1)
    }

    fn parse_code_section(&mut self, code: &mut CodeSection, section: CodeSectionReader<'_>) -> Result<(), Error> {
        utils::parse_code_section(self, code, section)?;
        code.function(&self.body()?);
        Ok(())
    }

    fn parse_data_section(&mut self, data: &mut DataSection, section: DataSectionReader<'_>) -> Result<(), Error> {
        utils::parse_data_section(self, data, section)?;
        self.add_data(data);
        Ok(())
    }

    /// Adds the sections that a module without segments does not have.
    fn intersperse_section_hook(
        &mut self,
        module: &mut wasm_encoder::Module,
        _after: Option<SectionId>,
        before: Option<SectionId>,
    ) -> Result<(), Error> {
        if before == Some(SectionId::Code) && !self.has_counted {
            self.has_counted = true;
            module.section(&DataCountSection { count: self.module.segments + 1 });
        }
        if before.is_none() && !self.has_data {
            let mut data = DataSection::new();
            self.add_data(&mut data);
            module.section(&data);
        }
        Ok(())
    }
}

/// Refuses code that changes what the renewal does not put back.
fn check_code(body: &FunctionBody<'_>) -> Result<(), NotRenewed> {
    for operator in body.get_operators_reader().map_err(malformed)? {
        match operator.map_err(malformed)? {
            Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. } => return Err("it changes a table"),
            Operator::ElemDrop { .. } | Operator::DataDrop { .. } => return Err("it drops a segment"),
            _ => {}
        }
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
