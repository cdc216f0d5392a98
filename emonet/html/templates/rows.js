// What pages share whose rows exist only while they are in sight.

// Does some work once before the next frame, however often it is asked for until then.
function onceAFrame(work) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      work();
    });
  };
}

// The place of the last of rising numbers that is not above a value; the end of the list does not count.
function findPlace(numbers, value) {
  let [low, high] = [0, numbers.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= value) low = middle;
    else high = middle;
  }
  return low;
}
