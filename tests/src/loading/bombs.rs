//! Small components that take much to load.

use super::only;
use wasm_encoder::*;

/// A bomb: what it is, and what makes it so large that `size` of what it is
/// made of are in it.
pub struct Bomb {
    /// Its name.
    pub name: &'static str,
    /// How many of what it is made of a component has that must be refused.
    pub refused_at: u32,
    /// How many of them compile, and take long enough to compare that with the
    /// estimate; `None` where they are refused by number.
    pub estimated_at: Option<u32>,
    /// Makes it.
    pub make: fn(u32) -> Vec<u8>,
}

/// Those that are made of parts.
pub(super) const BOMBS: &[Bomb] = &[
    Bomb { name: "nested components", refused_at: 8_000, estimated_at: None, make: nested_components },
    Bomb { name: "empty components", refused_at: 8_000, estimated_at: None, make: empty_components },
    Bomb { name: "empty modules", refused_at: 8_000, estimated_at: Some(200), make: empty_modules },
    Bomb { name: "mutable globals", refused_at: 20_000, estimated_at: None, make: mutable_globals },
    Bomb { name: "one large function", refused_at: 3_000_000, estimated_at: Some(150_000), make: one_function },
    Bomb { name: "small functions", refused_at: 400_000, estimated_at: Some(2_000), make: small_functions },
    Bomb { name: "locals in loops", refused_at: 4_000, estimated_at: Some(300), make: locals_in_loops },
    Bomb { name: "locals in blocks", refused_at: 40_000, estimated_at: Some(1_000), make: locals_in_blocks },
    Bomb { name: "declared locals", refused_at: 10_000, estimated_at: Some(200), make: declared_locals },
    Bomb { name: "values of calls", refused_at: 100_000, estimated_at: Some(50), make: values_of_calls },
    Bomb { name: "values of blocks", refused_at: 100_000, estimated_at: Some(50), make: values_of_blocks },
    Bomb { name: "values of jumps", refused_at: 100_000, estimated_at: Some(50), make: values_of_jumps },
    Bomb { name: "types", refused_at: 1_000_000, estimated_at: None, make: types },
    Bomb { name: "imports of a module", refused_at: 500_000, estimated_at: None, make: imports },
    Bomb { name: "exports of a module", refused_at: 500_000, estimated_at: None, make: exports },
    Bomb { name: "memories", refused_at: 100, estimated_at: None, make: memories },
    Bomb { name: "tables", refused_at: 100, estimated_at: None, make: tables },
    Bomb { name: "elements", refused_at: 5_000_000, estimated_at: None, make: elements },
    Bomb { name: "data segments", refused_at: 1_000_000, estimated_at: None, make: data_segments },
    Bomb { name: "aliases", refused_at: 1_000_000, estimated_at: None, make: aliases },
    Bomb { name: "types within types", refused_at: 1_000_000, estimated_at: None, make: types_within_types },
    Bomb { name: "types of components", refused_at: 1_000_000, estimated_at: None, make: component_types },
];

/// Written from the innermost to the outermost, back to front.
fn nested_components(count: u32) -> Vec<u8> {
    let header = Component::new().finish();
    let mut reversed = Vec::new();
    for level in 0..count {
        if level > 0 {
            let mut length = Vec::new();
            u32::try_from(reversed.len()).unwrap().encode(&mut length);
            reversed.extend(length.iter().rev());
            reversed.push(4);
        }
        reversed.extend(header.iter().rev());
    }
    reversed.reverse();
    reversed
}

fn empty_components(count: u32) -> Vec<u8> {
    let mut component = Component::new();
    for _ in 0..count {
        component.section(&NestedComponentSection(&Component::new()));
    }
    component.finish()
}

fn empty_modules(count: u32) -> Vec<u8> {
    let mut component = Component::new();
    for _ in 0..count {
        component.section(&ModuleSection(&Module::new()));
    }
    component.finish()
}

/// Instantiated, since the snapshotter looks at those only.
fn mutable_globals(count: u32) -> Vec<u8> {
    let mut globals = GlobalSection::new();
    for _ in 0..count {
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(ty, &ConstExpr::i32_const(7));
    }
    let mut module = Module::new();
    module.section(&globals);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    let mut instances = InstanceSection::new();
    instances.instantiate::<[(&str, ModuleArg); 0], _>(0, []);
    component.section(&instances);
    component.finish()
}

/// A function that adds its parameter to itself in different ways, of about
/// `bytes`.
fn one_function(bytes: u32) -> Vec<u8> {
    functions(1, |body| {
        body.instruction(&Instruction::LocalGet(0));
        for step in 0..bytes / 8 {
            let number = i32::try_from(step % 60).unwrap();
            body.instruction(&Instruction::LocalGet(0));
            body.instruction(&Instruction::I32Const(number));
            body.instruction(&Instruction::I32Xor);
            body.instruction(&if step % 3 == 0 { Instruction::I32Mul } else { Instruction::I32Add });
            body.instruction(&Instruction::LocalTee(0));
        }
        body.instruction(&Instruction::Drop);
    })
}

fn small_functions(count: u32) -> Vec<u8> {
    functions(count, |body| {
        body.instruction(&Instruction::LocalGet(0)).instruction(&Instruction::Drop);
    })
}

/// As many loops as locals, all of which are used in all of them.
fn locals_in_loops(count: u32) -> Vec<u8> {
    of_locals(count, |body| {
        (0..count).for_each(|_| {
            body.instruction(&Instruction::Loop(BlockType::Empty));
        });
        use_locals(body, count);
        for _ in 0..count {
            body.instruction(&Instruction::LocalGet(0)).instruction(&Instruction::BrIf(0));
            body.instruction(&Instruction::End);
        }
    })
}

/// As many branches as locals, all of which are used after them.
fn locals_in_blocks(count: u32) -> Vec<u8> {
    of_locals(count, |body| {
        for local in 0..count {
            body.instruction(&Instruction::LocalGet(0)).instruction(&Instruction::If(BlockType::Empty));
            body.instruction(&Instruction::I32Const(1)).instruction(&Instruction::LocalSet(1 + local));
            body.instruction(&Instruction::End);
        }
        use_locals(body, count);
    })
}

fn use_locals(body: &mut Function, count: u32) {
    for local in 1..=count {
        body.instruction(&Instruction::LocalGet(local)).instruction(&Instruction::LocalGet(0));
        body.instruction(&Instruction::I32Add).instruction(&Instruction::LocalSet(0));
    }
}

fn declared_locals(count: u32) -> Vec<u8> {
    module_of(count, 49_000, &[(1, 0)], |_| ())
}

/// Each call is of two bytes, and gives and takes a thousand values.
fn values_of_calls(count: u32) -> Vec<u8> {
    let many = vec![ValType::I32; 1_000];
    let mut types = TypeSection::new();
    types.ty().function(many.clone(), many);
    let mut functions = FunctionSection::new();
    functions.function(0);
    functions.function(0);
    let get_all = |body: &mut Function| {
        (0..1_000).for_each(|at| {
            body.instruction(&Instruction::LocalGet(at));
        })
    };
    let mut code = CodeSection::new();
    for calls in [0, count] {
        let mut body = Function::new([]);
        get_all(&mut body);
        (0..calls).for_each(|_| {
            body.instruction(&Instruction::Call(0));
        });
        body.instruction(&Instruction::End);
        code.function(&body);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    only(&module.finish())
}

fn values_of_blocks(count: u32) -> Vec<u8> {
    with_values(count, |body| {
        body.instruction(&Instruction::Block(BlockType::FunctionType(0))).instruction(&Instruction::End);
    })
}

fn values_of_jumps(count: u32) -> Vec<u8> {
    with_values(count, |body| {
        body.instruction(&Instruction::Block(BlockType::FunctionType(0)));
        body.instruction(&Instruction::GlobalGet(0)).instruction(&Instruction::BrIf(0));
        body.instruction(&Instruction::End);
    })
}

/// A function with a thousand values on its stack, and `step` done to them
/// `count` times.
fn with_values(count: u32, step: fn(&mut Function)) -> Vec<u8> {
    let many = vec![ValType::I32; 1_000];
    let mut types = TypeSection::new();
    types.ty().function(many.clone(), many);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut globals = GlobalSection::new();
    let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
    globals.global(ty, &ConstExpr::i32_const(0));
    let mut body = Function::new([]);
    (0..1_000).for_each(|at| {
        body.instruction(&Instruction::LocalGet(at));
    });
    (0..count).for_each(|_| step(&mut body));
    body.instruction(&Instruction::End);
    let mut code = CodeSection::new();
    code.function(&body);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&globals).section(&code);
    only(&module.finish())
}

fn types(count: u32) -> Vec<u8> {
    let mut types = TypeSection::new();
    (0..count).for_each(|_| types.ty().function([], []));
    let mut module = Module::new();
    module.section(&types);
    only(&module.finish())
}

fn imports(count: u32) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut imports = ImportSection::new();
    (0..count).for_each(|_| {
        imports.import("", "", EntityType::Function(0));
    });
    let mut module = Module::new();
    module.section(&types).section(&imports);
    only(&module.finish())
}

fn exports(count: u32) -> Vec<u8> {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut exports = ExportSection::new();
    (0..count).for_each(|at| {
        exports.export(&at.to_string(), ExportKind::Memory, 0);
    });
    let mut module = Module::new();
    module.section(&memories).section(&exports);
    only(&module.finish())
}

fn memories(count: u32) -> Vec<u8> {
    let mut memories = MemorySection::new();
    let ty = MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
    (0..count).for_each(|_| {
        memories.memory(ty);
    });
    let mut module = Module::new();
    module.section(&memories);
    only(&module.finish())
}

fn tables(count: u32) -> Vec<u8> {
    let mut tables = TableSection::new();
    (0..count).for_each(|_| {
        tables.table(table());
    });
    let mut module = Module::new();
    module.section(&tables);
    only(&module.finish())
}

fn table() -> TableType {
    TableType { element_type: RefType::FUNCREF, table64: false, minimum: 1, maximum: None, shared: false }
}

fn elements(count: u32) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut tables = TableSection::new();
    tables.table(table());
    let mut elements = ElementSection::new();
    let all = vec![0; usize::try_from(count).unwrap()];
    elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(all.into()));
    let mut body = Function::new([]);
    body.instruction(&Instruction::End);
    let mut code = CodeSection::new();
    code.function(&body);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&tables).section(&elements).section(&code);
    only(&module.finish())
}

fn data_segments(count: u32) -> Vec<u8> {
    let mut data = DataSection::new();
    (0..count).for_each(|_| {
        data.passive([]);
    });
    let mut module = Module::new();
    module.section(&DataCountSection { count }).section(&data);
    only(&module.finish())
}

fn aliases(count: u32) -> Vec<u8> {
    let mut aliases = ComponentAliasSection::new();
    for _ in 0..count {
        aliases.alias(Alias::Outer { kind: ComponentOuterAliasKind::Type, count: 0, index: 0 });
    }
    let mut component = Component::new();
    component.section(&aliases);
    component.finish()
}

/// An instance type that declares one that declares one: three bytes each.
fn types_within_types(count: u32) -> Vec<u8> {
    let mut data = vec![1];
    for _ in 0..count {
        data.extend([0x42, 1, 1]);
    }
    data.push(0x7f);
    let mut component = Component::new();
    component.section(&RawSection { id: ComponentSectionId::Type.into(), data: &data });
    component.finish()
}

fn component_types(count: u32) -> Vec<u8> {
    let mut types = ComponentTypeSection::new();
    for _ in 0..count {
        types.defined_type().primitive(PrimitiveValType::U32);
    }
    let mut component = Component::new();
    component.section(&types);
    component.finish()
}

fn functions(count: u32, body: impl FnMut(&mut Function)) -> Vec<u8> {
    module_of(count, 0, &[(1, 0)], body)
}

fn of_locals(count: u32, body: impl FnMut(&mut Function)) -> Vec<u8> {
    module_of(1, count, &[(1, 0)], body)
}

/// A component with a module of `count` functions of the first type, each with
/// `locals` besides its parameters.
fn module_of(count: u32, locals: u32, arities: &[(usize, usize)], mut write: impl FnMut(&mut Function)) -> Vec<u8> {
    let mut types = TypeSection::new();
    for (params, results) in arities {
        types.ty().function(vec![ValType::I32; *params], vec![ValType::I32; *results]);
    }
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for _ in 0..count {
        functions.function(0);
        let mut body = Function::new((locals > 0).then_some((locals, ValType::I32)));
        write(&mut body);
        body.instruction(&Instruction::End);
        code.function(&body);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    only(&module.finish())
}
