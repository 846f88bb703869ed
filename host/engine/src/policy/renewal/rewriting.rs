//! Adds functions to a module that restore its state after each call, and that
//! trap if it was not restored before the next.

use super::module::{Constant, Module};
use super::outline::Calls;
use super::{MALFORMED, NotRenewed};
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataCountSection, DataSection, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, Ieee32, Ieee64, InstructionSink, SectionId, ValType,
};
use wasmparser::{CodeSectionReader, DataSectionReader, Export, FunctionSectionReader, GlobalSectionReader, Parser};

/// `module`, whose state is restored at the end of each of `calls`; a call
/// traps if that was not done since the one before.
///
/// Whether a call began since the last end is kept in a global that is added
/// after all of the module's own: no code of the guest can name it.
pub(super) fn rewritten(module: &Module<'_>, calls: &Calls<'_>) -> Result<Vec<u8>, NotRenewed> {
    module.check()?;
    let mut entries = Vec::new();
    for name in &calls.entries {
        let (function, function_type, parameters) = module.exported(name)?;
        let parameters = u32::try_from(parameters.params().len()).map_err(|_| MALFORMED)?;
        entries.push(Entry { name, function, function_type, parameters });
    }
    let mut restoring = Restoring {
        module,
        post_returns: &calls.post_returns,
        post_return_type: module.type_of_post_returns(calls)?,
        entries,
        restore: u32::try_from(module.functions.len()).map_err(|_| MALFORMED)?,
        has_globals: false,
        has_counted: false,
        has_data: false,
    };
    let mut rewritten = wasm_encoder::Module::new();
    let done = restoring.parse_core_module(&mut rewritten, Parser::new(0), module.bytes);
    done.map_err(|_| "it cannot be rewritten").map(|()| rewritten.finish())
}

/// An export that calls enter by.
struct Entry<'a> {
    name: &'a str,
    function: u32,
    function_type: u32,
    parameters: u32,
}

/// Writes a module with one more segment, one more global, a function that
/// restores its state, and a function for each entry.
struct Restoring<'a> {
    module: &'a Module<'a>,
    post_returns: &'a [&'a str],
    post_return_type: u32,
    entries: Vec<Entry<'a>>,
    /// The index of the function that restores; those of the entries follow.
    restore: u32,
    has_globals: bool,
    has_counted: bool,
    has_data: bool,
}

impl Restoring<'_> {
    /// Traps if a call began since the last end, and otherwise calls the entry.
    fn entry(&self, entry: &Entry<'_>) -> Function {
        let mut code = Vec::new();
        let mut sink = InstructionSink::new(&mut code);
        sink.global_get(self.module.globals).if_(BlockType::Empty).unreachable().end();
        sink.i32_const(1).global_set(self.module.globals);
        for parameter in 0..entry.parameters {
            sink.local_get(parameter);
        }
        sink.call(entry.function).end();
        let mut function = Function::new([]);
        function.raw(code);
        function
    }

    /// Zeros up to the image, the image, zeros to the end, and the globals.
    fn restore(&self) -> Result<Function, Error> {
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
        sink.i32_const(0).global_set(self.module.globals);
        sink.end();
        let mut function = Function::new([]);
        function.raw(code);
        Ok(function)
    }

    fn add_global(&mut self, globals: &mut GlobalSection) {
        globals.global(GlobalType { val_type: ValType::I32, mutable: true, shared: false }, &ConstExpr::i32_const(0));
        self.has_globals = true;
    }

    fn add_data(&mut self, data: &mut DataSection) {
        data.passive(self.module.written().1.iter().copied());
        self.has_data = true;
    }
}

impl Reencode for Restoring<'_> {
    type Error = Infallible;

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_function_section(self, functions, section)?;
        functions.function(self.post_return_type);
        for entry in &self.entries {
            functions.function(entry.function_type);
        }
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_global_section(self, globals, section)?;
        self.add_global(globals);
        Ok(())
    }

    fn parse_export(&mut self, exports: &mut ExportSection, export: Export<'_>) -> Result<(), Error> {
        let mut entries = (self.restore + 1..).zip(&self.entries);
        match entries.find(|(_, entry)| entry.name == export.name) {
            _ if self.post_returns.contains(&export.name) => {
                exports.export(export.name, ExportKind::Func, self.restore);
            }
            Some((function, _)) => {
                exports.export(export.name, ExportKind::Func, function);
            }
            None => utils::parse_export(self, exports, export)?,
        }
        Ok(())
    }

    fn data_count(&mut self, count: u32) -> Result<u32, Error> {
        self.has_counted = true;
        Ok(count + 1)
    }

    fn parse_code_section(&mut self, code: &mut CodeSection, section: CodeSectionReader<'_>) -> Result<(), Error> {
        utils::parse_code_section(self, code, section)?;
        code.function(&self.restore()?);
        for entry in &self.entries {
            code.function(&self.entry(entry));
        }
        Ok(())
    }

    fn parse_data_section(&mut self, data: &mut DataSection, section: DataSectionReader<'_>) -> Result<(), Error> {
        utils::parse_data_section(self, data, section)?;
        self.add_data(data);
        Ok(())
    }

    /// Adds the sections that a module without globals or segments lacks.
    fn intersperse_section_hook(
        &mut self,
        module: &mut wasm_encoder::Module,
        _after: Option<SectionId>,
        before: Option<SectionId>,
    ) -> Result<(), Error> {
        if before == Some(SectionId::Export) && !self.has_globals {
            let mut globals = GlobalSection::new();
            self.add_global(&mut globals);
            module.section(&globals);
        }
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
