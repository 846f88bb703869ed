//! Puts the function that undoes what a check changed into a module.

use super::module::{Constant, Module};
use super::{MALFORMED, NotRenewed};
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ExportKind, ExportSection, Function, FunctionSection, Ieee32, Ieee64,
    InstructionSink, SectionId,
};
use wasmparser::{CodeSectionReader, DataSectionReader, Export, FunctionSectionReader, Parser};

/// `module`, with the exports called `ends` replaced by the function that puts
/// its state back.
pub(super) fn rewritten(module: &Module<'_>, ends: &[&str]) -> Result<Vec<u8>, NotRenewed> {
    module.check()?;
    let mut putting_back = PuttingBack {
        module,
        ends,
        function_type: module.type_of(ends)?,
        function: u32::try_from(module.functions.len()).map_err(|_| MALFORMED)?,
        has_counted: false,
        has_data: false,
    };
    let mut rewritten = wasm_encoder::Module::new();
    let done = putting_back.parse_core_module(&mut rewritten, Parser::new(0), module.bytes);
    done.map_err(|_| "it cannot be written anew").map(|()| rewritten.finish())
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
