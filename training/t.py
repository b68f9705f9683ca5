import words, tokenizer
ws=words.world_words(); t=tokenizer.build(ws); print(len(ws), t.get_vocab_size())
for s in ["- Finn lives in Oslo. Mia likes plums.\n\nQuestion: Where does Finn live?","Oslo [2]",'{"answer": "Oslo"}','["Mia", "Ben", "Zoe"]', "What is 34 + 25?\nAnswer: 59.","Czechia's naïve\n\n  x"]:
    e=t.encode(s); print(e.tokens, t.decode(e.ids)==s)
bad=[w for w in ws if len(t.encode(w).ids)>1 or len(t.encode(' '+w).ids)>1]; print(bad)
r,s=tokenizer.twins(t); print(sum(s))
