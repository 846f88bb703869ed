use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

/// A child that is told lines and answers with lines. It ends when it is
/// dropped.
pub struct Child {
    process: std::process::Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
}

/// A line of JSON.
pub type Line = serde_json::Value;

impl Child {
    /// This program, with `arguments`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn of_this_program(arguments: &[&str]) -> Result<Self> {
        Self::start(Command::new(std::env::current_exe()?).args(arguments))
    }

    /// Any program.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?} did not start"))?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().context("standard output is piped")?;
        Ok(Self { process, stdin, stdout: BufReader::new(stdout).lines() })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Tells it a line.
    ///
    /// # Errors
    /// When it is gone.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("nothing more can be told")?;
        writeln!(stdin, "{line}")?;
        Ok(stdin.flush()?)
    }

    /// Its next line.
    ///
    /// # Errors
    /// When it ends without.
    pub fn hear(&mut self) -> Result<String> {
        match self.stdout.next() {
            Some(line) => Ok(line?),
            None => bail!("the child ended without an answer: {}", self.process.wait()?),
        }
    }

    /// Its next line, as JSON.
    ///
    /// # Errors
    /// When it ends without, or the line is something else.
    pub fn hear_json(&mut self) -> Result<Line> {
        Ok(serde_json::from_str(&self.hear()?)?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // With the end of its input it ends by itself; what does not listen is
        // ended.
        drop(self.stdin.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
