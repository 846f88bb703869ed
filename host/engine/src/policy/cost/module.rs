//! A core module, as far as the cost of its functions depends on it.

use super::function::Taken;
use super::invalid;
use super::weight;
use crate::generation::error::Problem;
use wasmparser::{
    BlockType, ConstExpr, DataKind, DataSectionReader, ElementItems, ElementKind, ElementSectionReader,
    FunctionSectionReader, GlobalSectionReader, ImportSectionReader, TypeRef, TypeSectionReader,
};

/// The types of a module's functions, by how many values they take and give:
/// a call, or a jump to a block, of two bytes moves all of them.
#[derive(Debug, Default)]
pub(super) struct Module {
    types: Vec<Arity>,
    /// Types of its functions, the imported ones first.
    functions: Vec<u32>,
    /// How many bodies were seen, the imported ones among them.
    bodies: usize,
    /// Exports and entries of tables: each may be another function.
    referred_to: u64,
    /// Bytes that the compiler holds for the function with which an instance
    /// begins: it fills its tables, and computes what they are filled with.
    start_held: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arity {
    pub(super) params: u16,
    pub(super) results: u16,
}

impl Arity {
    pub(super) fn values(self) -> u64 {
        u64::from(self.params) + u64::from(self.results)
    }
}

impl Module {
    /// Adds types, and says how many values they have.
    pub(super) fn add_types(&mut self, section: TypeSectionReader<'_>) -> Result<u64, Problem> {
        let mut values = 0;
        for ty in section.into_iter_err_on_gc_types() {
            let ty = ty.map_err(invalid)?;
            let [params, results] =
                [ty.params().len(), ty.results().len()].map(|values| u16::try_from(values).unwrap_or(u16::MAX));
            let arity = Arity { params, results };
            values += arity.values();
            self.types.push(arity);
        }
        Ok(values)
    }

    /// Adds the functions that are imported, and says how many imports there
    /// are.
    pub(super) fn add_imports(&mut self, section: ImportSectionReader<'_>) -> Result<u32, Problem> {
        let mut count = 0_u32;
        for import in section.into_imports() {
            count += 1;
            if let TypeRef::Func(index) | TypeRef::FuncExact(index) = import.map_err(invalid)?.ty {
                self.functions.push(index);
            }
        }
        self.bodies = self.functions.len();
        Ok(count)
    }

    pub(super) fn add_functions(&mut self, section: FunctionSectionReader<'_>) -> Result<(), Problem> {
        for index in section {
            self.functions.push(index.map_err(invalid)?);
        }
        Ok(())
    }

    /// The type of the function whose body is next.
    pub(super) fn next_body(&mut self) -> Arity {
        let arity = self.function(u32::try_from(self.bodies).unwrap_or(u32::MAX));
        self.bodies += 1;
        arity
    }

    pub(super) fn function(&self, index: u32) -> Arity {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.functions.get(index))
            .map(|ty| self.ty(*ty))
            .unwrap_or_default()
    }

    /// One that is not there costs nothing: it is refused when it is validated.
    pub(super) fn ty(&self, index: u32) -> Arity {
        usize::try_from(index).ok().and_then(|index| self.types.get(index)).copied().unwrap_or_default()
    }

    pub(super) fn block(&self, ty: BlockType) -> Arity {
        match ty {
            BlockType::Empty => Arity::default(),
            BlockType::Type(_) => Arity { params: 0, results: 1 },
            BlockType::FuncType(index) => self.ty(index),
        }
    }

    pub(super) fn add_exports(&mut self, count: u32) {
        self.referred_to += u64::from(count);
    }

    /// How many of its functions the host could call, at most.
    pub(super) fn called_by_host(&self) -> u64 {
        self.referred_to.min(self.functions.len() as u64)
    }

    /// Adds globals, and says how many of them are mutable.
    pub(super) fn add_globals(&mut self, section: GlobalSectionReader<'_>) -> Result<u64, Problem> {
        let mut mutable = 0;
        for global in section {
            let global = global.map_err(invalid)?;
            mutable += u64::from(global.ty.mutable);
            self.compute(&global.init_expr)?;
        }
        Ok(mutable)
    }

    /// Adds segments, and says how many entries of tables they have.
    pub(super) fn add_elements(&mut self, section: ElementSectionReader<'_>) -> Result<u64, Problem> {
        let mut elements = 0;
        for element in section {
            let element = element.map_err(invalid)?;
            if let ElementKind::Active { offset_expr, .. } = &element.kind {
                self.compute(offset_expr)?;
            }
            elements += u64::from(match element.items {
                ElementItems::Functions(items) => items.count(),
                ElementItems::Expressions(_, items) => {
                    let count = items.count();
                    for item in items {
                        self.compute(&item.map_err(invalid)?)?;
                    }
                    count
                }
            });
        }
        self.referred_to += elements;
        self.start_held += elements.saturating_mul(weight::ELEMENT);
        Ok(elements)
    }

    pub(super) fn add_data(&mut self, section: DataSectionReader<'_>) -> Result<(), Problem> {
        for data in section {
            if let DataKind::Active { offset_expr, .. } = &data.map_err(invalid)?.kind {
                self.compute(offset_expr)?;
            }
        }
        Ok(())
    }

    /// Adds what computes a value as an instance begins.
    fn compute(&mut self, value: &ConstExpr<'_>) -> Result<(), Problem> {
        for operator in value.get_operators_reader() {
            self.start_held += weight::of(&operator.map_err(invalid)?).held;
        }
        Ok(())
    }

    /// The cost of the function that starts an instance.
    pub(super) fn start(&self) -> Taken {
        Taken::for_held(self.start_held)
    }
}
