//! Guests as large as those that are planned, with code of the shape that
//! compilers of Rust make.

use super::with_module;
use wasm_encoder::*;

/// A guest that must load with the default budget.
pub struct Guest {
    /// Its name.
    pub name: &'static str,
    /// Bytes of its code.
    pub code_bytes: usize,
    /// Bytes of its largest function: an interpreter's loop, or a parser.
    pub largest_bytes: usize,
}

/// The largest guests that are planned.
pub const PLANNED: &[Guest] = &[
    Guest { name: "Cedar", code_bytes: 2_000_000, largest_bytes: 60_000 },
    Guest { name: "Rego", code_bytes: 1_080_000, largest_bytes: 100_000 },
    Guest { name: "CEL", code_bytes: 970_000, largest_bytes: 40_000 },
];

/// `component` with as much code added to it as `guest` has.
pub fn padded(component: &[u8], guest: &Guest) -> Vec<u8> {
    with_module(component, &module(guest))
}

/// Functions of all sizes: most are small, a few are large.
fn module(guest: &Guest) -> Vec<u8> {
    let mut chance = Chance(guest.code_bytes as u64);
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32, ValType::I32, ValType::I32], [ValType::I32]);
    let mut bodies = Vec::new();
    let mut bytes = 0;
    let mut largest = [guest.largest_bytes, guest.largest_bytes / 2, guest.largest_bytes / 4].into_iter();
    while bytes < guest.code_bytes {
        let size = match largest.next() {
            Some(size) => size,
            None if chance.one_of(20) => 500 + chance.below(8_000),
            None => 60 + chance.below(400),
        };
        let locals = u32::try_from(4 + (size / 60).min(200)).unwrap();
        let mut body = Function::new([(locals, ValType::I32)]);
        Writer { body: &mut body, chance: &mut chance, locals: 3 + locals, depth: 0 }.write(size);
        bytes += body.byte_len();
        bodies.push(body);
    }
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    for body in &bodies {
        functions.function(0);
        code.function(body);
    }
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&code);
    module.finish()
}

struct Writer<'w> {
    body: &'w mut Function,
    chance: &'w mut Chance,
    locals: u32,
    depth: u32,
}

impl Writer<'_> {
    fn write(mut self, bytes: usize) {
        while self.body.byte_len() < bytes {
            match self.chance.below(12) {
                0 if self.depth < 12 => self.open(true),
                1..3 if self.depth < 12 => self.open(false),
                3..5 if self.depth > 0 => self.close(),
                5 => self.call(),
                6 => self.store(),
                7 if self.depth > 2 => self.jump(),
                _ => self.compute(),
            }
        }
        while self.depth > 0 {
            self.close();
        }
        self.get();
        self.body.instruction(&Instruction::End);
    }

    fn open(&mut self, is_loop: bool) {
        let empty = BlockType::Empty;
        if is_loop {
            self.body.instruction(&Instruction::Loop(empty));
        } else {
            self.get();
            self.body.instruction(&Instruction::If(empty));
        }
        self.depth += 1;
    }

    fn close(&mut self) {
        self.body.instruction(&Instruction::End);
        self.depth -= 1;
    }

    /// A jump through a table, as `match` makes it.
    fn jump(&mut self) {
        let targets: Vec<u32> = (0..self.depth).collect();
        self.body.instruction(&Instruction::Block(BlockType::Empty));
        self.get();
        self.body.instruction(&Instruction::BrTable(targets.as_slice().into(), 0));
        self.body.instruction(&Instruction::End);
    }

    fn call(&mut self) {
        (0..3).for_each(|_| self.get());
        self.body.instruction(&Instruction::Call(0));
        self.set();
    }

    fn store(&mut self) {
        let at = MemArg { offset: self.chance.below(64) as u64, align: 2, memory_index: 0 };
        self.get();
        self.get();
        self.body.instruction(&Instruction::I32Store(at));
    }

    fn compute(&mut self) {
        let at = MemArg { offset: self.chance.below(64) as u64, align: 2, memory_index: 0 };
        self.get();
        self.body.instruction(&Instruction::I32Load(at));
        self.get();
        self.body.instruction(&Instruction::I32Const(self.chance.below(200) as i32));
        self.body.instruction(&Instruction::I32Xor);
        self.body.instruction(&Instruction::I32Add);
        self.set();
    }

    fn get(&mut self) {
        let local = self.local();
        self.body.instruction(&Instruction::LocalGet(local));
    }

    fn set(&mut self) {
        let local = self.local();
        self.body.instruction(&Instruction::LocalSet(local));
    }

    fn local(&mut self) -> u32 {
        u32::try_from(self.chance.below(self.locals as usize)).unwrap()
    }
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }

    fn one_of(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}
