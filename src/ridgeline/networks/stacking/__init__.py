"""An ordinary `nn.Module` becomes K fits that train as one.

`survey` looks at it; `looped` runs K copies in one step, which is always right; `swapped` folds K into the batch, with
`twins` of the layers that have parameters; `proof` compares the two and chooses. `network` is what the engine sees.
"""
