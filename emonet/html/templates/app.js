// What Gradio does not do: photos that are pasted, explanations of faces, and boxes that are marked with their face.

async function explain(button) {
  const card = button.closest('.face'), emotion = card.querySelector('select').value;
  const figure = card.querySelector('figure'), words = figure.querySelector('figcaption');
  button.disabled = true;
  figure.hidden = false;
  words.textContent = 'Looking';
  try {
    const response = await fetch('/explain', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ image: card.dataset.cut, face: JSON.parse(card.dataset.face), emotion }),
    });
    if (!response.ok) throw new Error((await response.json()).error);
    const image = figure.querySelector('img'), reader = new FileReader();
    reader.onload = () => { image.src = reader.result; };
    reader.readAsDataURL(await response.blob());
    image.alt = words.textContent = `Yellow: what speaks most for ${emotion} (Grad-CAM)`;
  } catch (error) {
    words.textContent = error.message;
  }
  button.disabled = false;
}

function mark(face, marked) {
  const cards = [...face.closest('.photo').querySelectorAll('.face')];
  face.closest('.photo').querySelectorAll('rect')[cards.indexOf(face)]?.classList.toggle('marked', marked);
}

document.addEventListener('click', event => {
  const button = event.target.closest?.('.emonet [data-explain]');
  if (button) explain(button);
});
document.addEventListener('pointerover', event => {
  const face = event.target.closest?.('.emonet .face');
  for (const other of document.querySelectorAll('.emonet rect.marked')) other.classList.remove('marked');
  if (face) mark(face, true);
});
document.addEventListener('paste', event => {
  const { files } = event.clipboardData, input = document.querySelector('#photos input[type=file]');
  if (!files.length || !document.getElementById('photos')?.offsetParent || !input) return;  // or another tab is shown
  input.files = files;
  input.dispatchEvent(new Event('change', { bubbles: true }));
});
