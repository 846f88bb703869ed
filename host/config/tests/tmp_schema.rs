#[test] fn w() { std::fs::write("barmkin.schema.json", format!("{:#}\n", barmkin_config::schema())).unwrap(); }
