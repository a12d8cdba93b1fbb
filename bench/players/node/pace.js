// Sends at an even pace, as bench/players/pace.py does.
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';

export async function atPace(count, perSecond, send) {
  const began = performance.now();
  for (let number = 0; number < count; number += 1) {
    await setTimeout(Math.max(0, began + (number * 1000) / perSecond - performance.now()));
    await send(String(process.hrtime.bigint()));
  }
}
