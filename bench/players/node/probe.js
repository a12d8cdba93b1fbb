// Counts what this process runs into a slot that bench/probe.py reads. Node maps no memory: the slot is written to its
// file some times a second, which costs the process 0.1 % of its time at most.
import { appendFileSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';

const SIZE = 64 * 3 * 8; // bench/probe.py's
const WRITE_MS = 5;
const path = `${process.env.BENCH_PROBE}/${process.pid}`;

let [messages, began, latest] = [0, 0n, 0n];
let file = null;
let written = 0;

export function touch() {
  latest = process.hrtime.bigint();
  messages += 1;
  if (file === null) begin();
}

export function note(sentAt) {
  const waited = process.hrtime.bigint() - BigInt(sentAt);
  touch();
  appendFileSync(`${path}.waits`, `${sentAt} ${waited}\n`);
}

function begin() {
  began = latest;
  writeFileSync(`${path}.draft`, Buffer.alloc(SIZE));
  file = openSync(`${path}.draft`, 'r+');
  write();
  renameSync(`${path}.draft`, `${path}.slots`);
  setInterval(write, WRITE_MS).unref();
}

function write() {
  if (written === messages) return;
  writeSync(file, new BigUint64Array([BigInt(messages), began, latest]), 0, 24, 0);
  written = messages;
}
