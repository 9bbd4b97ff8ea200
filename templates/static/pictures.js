// Pictures for a message: pasted ones are added to the chosen ones, and large ones are made smaller before they are sent.
// Without JavaScript the form sends the files as they are, and the server makes them smaller.
"use strict";
(() => {
  const LONGEST_SIDE = 2000, SMALL = 1000000;
  const input = document.querySelector("input[type=file][data-most]");
  if (input === null || typeof DataTransfer === "undefined") return;
  let work = Promise.resolve(), busy = 0;

  function choose(files) {
    const list = new DataTransfer();
    for (const file of files) list.items.add(file);
    input.files = list.files;
  }

  // What cannot be read here goes as it is: the server says what is wrong with it.
  async function smaller(file) {
    try {
      const image = await createImageBitmap(file);
      const scale = Math.min(1, LONGEST_SIDE / Math.max(image.width, image.height));
      if (scale === 1 && file.size <= SMALL) return file;
      const canvas = document.createElement("canvas");
      canvas.width = Math.round(image.width * scale);
      canvas.height = Math.round(image.height * scale);
      const paper = canvas.getContext("2d");
      paper.fillStyle = "#fff";
      paper.fillRect(0, 0, canvas.width, canvas.height);
      paper.drawImage(image, 0, 0, canvas.width, canvas.height);
      image.close();
      const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
      return blob === null ? file : new File([blob], file.name.replace(/\.\w+$/, "") + ".jpg", { type: blob.type });
    } catch {
      return file;
    }
  }

  function take() {
    const chosen = Array.from(input.files);
    busy += 1;
    work = work.then(async () => {
      const made = [];
      for (const file of chosen) made.push(await smaller(file));
      if (input.files.length === chosen.length) choose(made);
    }).finally(() => { busy -= 1; });
  }

  input.addEventListener("change", take);
  document.addEventListener("paste", (event) => {
    const pasted = Array.from(event.clipboardData?.files ?? []).filter((file) => file.type.startsWith("image/"));
    if (pasted.length === 0) return;
    event.preventDefault();
    choose([...input.files, ...pasted]);
    take();
  });
  input.form.addEventListener("submit", (event) => {
    if (busy === 0) return;
    event.preventDefault();
    work.then(() => input.form.requestSubmit(event.submitter));
  });
})();
