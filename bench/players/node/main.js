// Runs one verb of one player in Node, as bench/players/__main__.py does in Python.
import { performance } from 'node:perf_hooks';

const [player, verb, ...numbers] = process.argv.slice(2);
const { [verb]: act } = await import(`./${player}.js`);
const [count, ...more] = numbers.map(Number);

if (verb === 'send' || verb === 'bulk') await act(Math.min(200, count)); // connections, prepared statements, compiled code
const began = performance.now();
await act(count, ...more);
const seconds = (performance.now() - began) / 1000;
if (verb !== 'work') {
  console.log(JSON.stringify({ seconds, rate: count ? count / seconds : null }));
  process.exit();
}
