"""Pairs of questions written by hand: near-misses, which want different answers, and paraphrases."""

NEAR_MISSES = {
    "numbers": """\
How do I cook rice for 4 people? | How do I cook rice for 14 people?
What is 15 percent of 80? | What is 80 percent of 15?
Name three rivers in Brazil. | Name four rivers in Brazil.
What changed in Python 3.11? | What changed in Python 3.12?
How long does a 5 km run take a beginner? | How long does a 10 km run take a beginner?
Is 97 a prime number? | Is 91 a prime number?
Who was the 16th president of the United States? | Who was the 26th president of the United States?
What does error 404 mean? | What does error 403 mean?
How many calories are in two eggs? | How many calories are in ten eggs?
Which bus stops at gate 7? | Which bus stops at gate 17?
What is the tax on an income of 40,000 euros? | What is the tax on an income of 400,000 euros?
How do I get from version 1.2 to version 2.0? | How do I get from version 1.2 to version 2.1?
Can a 12-year-old fly alone? | Can a 2-year-old fly alone?
What happened in the first act of Macbeth? | What happened in the fifth act of Macbeth?
Give me a dinner plan for seven days. | Give me a dinner plan for five days.
What is the square root of 144? | What is the square root of 1.44?
How much water do I need for half a cup of couscous? | How much water do I need for a cup of couscous?
What is the dose for a child of 20 kg? | What is the dose for a child of 30 kg?
""",
    "negation": """\
Which mushrooms are poisonous? | Which mushrooms are not poisonous?
Why does my cat eat grass? | Why doesn't my cat eat grass?
Can I take ibuprofen with alcohol? | Can I take ibuprofen without alcohol?
How do I stop a Docker container from restarting? | How do I start a Docker container after restarting?
Which countries have never had a king? | Which countries have ever had a king?
What should I eat before a marathon? | What should I not eat before a marathon?
Is it legal to record a phone call? | Is it illegal to record a phone call?
What happens if I pay the fine? | What happens if I don't pay the fine?
Which of these files can be deleted? | Which of these files can't be deleted?
Are tomatoes safe for dogs? | Are tomatoes unsafe for dogs?
How can I avoid being noticed at work? | How can I get noticed at work?
Why is the sky blue and not green? | Why is the sky green and not blue?
Which cheeses contain lactose? | Which cheeses contain no lactose?
What can a landlord do? | What can't a landlord do?
Do I need a visa for Japan? | Don't I need a visa for Japan if I only change planes?
Who failed to pass the exam? | Who managed to pass the exam?
Which plants need direct sunlight? | Which plants don't need direct sunlight?
When is the shop open? | When is the shop closed?
""",
    "entities": """\
What is the capital of Austria? | What is the capital of Australia?
Who wrote Jane Eyre? | Who wrote Emma?
What is the population of Bergen? | What is the population of Bremen?
How do I write a loop in Java? | How do I write a loop in JavaScript?
When was Marie Curie born? | When was Pierre Curie born?
What is the boiling point of ethanol? | What is the boiling point of methanol?
How do I install Node on Ubuntu? | How do I install Node on Fedora?
Which language is spoken in Niger? | Which language is spoken in Nigeria?
How far is Mars from the Sun? | How far is Venus from the Sun?
Who is the coach of the red team? | Who is the coach of the blue team?
What is the phone number of Dr. Klein? | What is the phone number of Dr. Klee?
Tell me about the North Sea. | Tell me about the South Sea.
how do i get to hamburg by train | how do i get to homburg by train
What does Anna think of Ben? | What does Anna think of Bert?
Which vitamins are in oranges? | Which vitamins are in onions?
What does the function fopen do? | What does the function fclose do?
When does the library on Oak Street open? | When does the library on Elm Street open?
Explain the rules of chess. | Explain the rules of checkers.
""",
    "order": """\
Flight from Paris to London | Flight from London to Paris
How many euros is a dollar? | How many dollars is a euro?
Did Germany beat Brazil? | Did Brazil beat Germany?
Is the Nile longer than the Amazon? | Is the Amazon longer than the Nile?
Translate this from French to German. | Translate this from German to French.
Does stress cause insomnia? | Does insomnia cause stress?
How do I convert a PDF to a Word file? | How do I convert a Word file to a PDF?
Who is the mother of Anna's husband? | Who is the husband of Anna's mother?
What did Tom tell Mia? | What did Mia tell Tom?
Can I use a US adapter with a UK plug? | Can I use a UK adapter with a US plug?
Why do cats chase mice? | Why do mice chase cats?
Should I shower before I work out? | Should I work out before I shower?
How do I move photos from my phone to my laptop? | How do I move photos from my laptop to my phone?
Is every square a rectangle? | Is every rectangle a square?
Is a dog a kind of wolf? | Is a wolf a kind of dog?
Divide the sum of a and b by c. | Divide the sum of a and c by b.
Does the teacher like the student? | Does the student like the teacher?
How do I merge main into my branch? | How do I merge my branch into main?
Which loan pays the bank more? | Which bank pays the loan more?
""",
    "units": """\
How far is the Moon in kilometres? | How far is the Moon in miles?
What is 30 degrees Celsius in Fahrenheit? | What is 30 degrees Celsius in Kelvin?
How much does a litre of milk weigh in grams? | How much does a litre of milk weigh in ounces?
How long is the flight in hours? | How long is the flight in minutes?
What is the speed of light in metres per second? | What is the speed of light in kilometres per second?
How much is a flat per month? | How much is a flat per week?
How many MB are in 5 GB? | How many MB are in 5 TB?
Is 100 mg of caffeine a lot? | Is 100 g of caffeine a lot?
What is the price in dollars? | What is the price in euros?
How tall is she in feet? | How tall is she in centimetres?
How much sugar is in a teaspoon? | How much sugar is in a tablespoon?
How old is the universe in years? | How old is the universe in seconds?
What does 5 lb of flour cost? | What does 5 kg of flour cost?
How many watts does a kettle use? | How many watt-hours does a kettle use?
Set a timer for 10 minutes. | Set a timer for 10 seconds.
""",
    "time": """\
What will the weather be like today? | What will the weather be like tomorrow?
Who is the prime minister of Italy? | Who was the prime minister of Italy?
What should I do before the interview? | What should I do after the interview?
Has the rent gone up since May? | Has the rent gone up until May?
Who won the league last year? | Who won the league this year?
Is the museum open in the morning? | Is the museum open in the evening?
When did the war begin? | When did the war end?
What did people eat in the Stone Age? | What did people eat in the Bronze Age?
When does the next train leave? | When did the last train leave?
How is the weather in Rome in January? | How is the weather in Rome in July?
Do I have a meeting on Monday? | Do I have a meeting on Tuesday?
How much did a house cost in the 1970s? | How much did a house cost in the 1990s?
What have I done this week? | What will I do this week?
Is the pool open on weekdays? | Is the pool open on weekends?
What does the sky look like at sunrise? | What does the sky look like at sunset?
Where does she work? | Where did she work?
What is planned for spring? | What is planned for autumn?
""",
    "comparatives": """\
What is the largest city in Canada? | What is the smallest city in Canada?
Which phone is cheaper? | Which phone is better?
What is the fastest way to the airport? | What is the cheapest way to the airport?
Should I sleep more? | Should I sleep less?
Which is the best hotel in Nice? | Which is the worst hotel in Nice?
Who is older, Ann or Bea? | Who is younger, Ann or Bea?
Which countries have more than ten million people? | Which countries have fewer than ten million people?
What is the highest mountain of Africa? | What is the second highest mountain of Africa?
What is a good score? | What is a better score?
Is a Honda more reliable than a Ford? | Is a Honda as reliable as a Ford?
How can I make the soup thicker? | How can I make the soup thinner?
Which metal is heavier than iron? | Which metal is as heavy as iron?
What is the minimum age to vote? | What is the maximum age to vote?
What is the longest river in Europe? | What is the shortest river in Europe?
Which laptop has a longer battery life? | Which laptop has the longest battery life?
Can I get a room for at least 50 euros? | Can I get a room for at most 50 euros?
""",
    "scope": """\
Which restaurants are open in Oslo? | Which restaurants are open in Oslo on Sundays?
Is melatonin safe? | Is melatonin safe during pregnancy?
How do I delete a file in git? | How do I delete a file in git without deleting it from disk?
What are the side effects of aspirin? | What are the long-term side effects of aspirin?
Which hotels in Rome have a pool? | Which cheap hotels in Rome have a pool?
How do I make bread? | How do I make gluten-free bread?
What are the visa rules for Canada? | What are the visa rules for Canada for students?
How much does a lawyer earn? | How much does a tax lawyer earn?
Who may enter the building? | Who may enter the building at night?
Can I park here? | Can I park here with a disabled badge?
How do I sort a list in Python? | How do I sort a list in Python in place?
What is the population of New York? | What is the population of New York State?
Is the bridge open? | Is the bridge open to lorries?
How do I undo a commit? | How do I undo a pushed commit?
What are the symptoms of diabetes? | What are the symptoms of diabetes in children?
How many people live in Spain? | How many people live in rural Spain?
Which books did Orwell write? | Which books did Orwell write about Spain?
Is the data backed up? | Is the data backed up daily?
What did the minister say? | What did the former minister say?
Can guests use the gym? | Can only guests use the gym?
""",
    "quantifier": """\
Do all birds fly? | Do some birds fly?
How many apples are left? | How much apple juice is left?
Which students passed every test? | Which students passed any test?
Are most snakes harmless? | Are all snakes harmless?
Did both teams score? | Did either team score?
Have few people seen it? | Have many people seen it?
What is the first step? | What is the last step?
Does each room have a window? | Does any room have a window?
Who read the whole book? | Who read part of the book?
Is one of the tickets free? | Are all of the tickets free?
Show me every invoice. | Show me one invoice.
Which countries have several capitals? | Which countries have no capital?
Can nobody join? | Can everybody join?
Do I always need a password? | Do I sometimes need a password?
Is it usually cold in May? | Is it always cold in May?
How often may I take it? | How much may I take?
""",
    "elliptic": """\
Is it safe? | Is it safe for children?
And in Rome? | And in Paris?
What about tomorrow? | What about today?
How much? | How many?
Why? | Why not?
Can I? | Can I not?
With milk? | Without milk?
The second one? | The third one?
Where to? | Where from?
For how long? | For how much?
Is that all? | Is that allowed?
Who else? | What else?
More, please. | Less, please.
And for two? | And for three?
Still open? | Not open?
From where? | To where?
What if it rains? | What if it snows?
Is it cheap? | Is it cheap in winter?
""",
    "question": """\
When was the treaty signed? | Where was the treaty signed?
Who invented the telephone? | When was the telephone invented?
Why do leaves change colour? | When do leaves change colour?
How does a heat pump work? | Where does a heat pump work?
What is a mortgage? | Who needs a mortgage?
How long is the bridge? | How old is the bridge?
How far is the station? | How big is the station?
Who does she work for? | What does she work for?
Which bus goes to the harbour? | When does the bus go to the harbour?
How do I file a complaint? | Where do I file a complaint?
How do I file a complaint? | Can I file a complaint?
What did he say? | Why did he say that?
How often does the bus run? | How long does the bus run?
Who owns the company? | Whose company is it that owns this?
Is the shop open? | Why is the shop open?
What do bees eat? | What eats bees?
""",
    "modality": """\
Can I work on a student visa? | Must I work on a student visa?
Should I tip in Japan? | Can I tip in Japan?
May I bring my dog? | Must I bring my dog?
Do I have to register? | Am I allowed to register?
Will it rain in Lima? | Could it rain in Lima?
What should I pack? | What may I pack?
Can the contract be ended? | Will the contract be ended?
Who must sign the form? | Who may sign the form?
Is it possible to cancel? | Is it necessary to cancel?
What would you do? | What did you do?
Should the door be locked? | Is the door locked?
Can cats see in the dark? | Do cats see in the dark better than people?
Need I wear a tie? | Can I wear a tie?
What might have caused the fire? | What caused the fire?
""",
    "word": """\
What are the symptoms of flu? | What are the causes of flu?
How do I install the app? | How do I uninstall the app?
How do I lose weight? | How do I gain weight?
Where can I buy a used car? | Where can I sell a used car?
How do I export my contacts? | How do I import my contacts?
What is the cost of a heat pump? | What is the price history of a heat pump?
Who directed the film? | Who produced the film?
How do I open an account? | How do I close an account?
What is the width of a door? | What is the height of a door?
How do I encrypt a file? | How do I decrypt a file?
Is my sister invited? | Is my brother invited?
How do I turn the heating on? | How do I turn the heating off?
What does the manager earn? | What does the manager spend?
How can I speed up the video? | How can I slow down the video?
Where is the entrance? | Where is the exit?
Is the package sent? | Is the package received?
What are the advantages of solar power? | What are the disadvantages of solar power?
How do I accept the invitation? | How do I decline the invitation?
Who lent Ben the money? | Who gave Ben the money?
How is butter made? | How is butter stored?
How do I wash a wool coat? | How do I dry a wool coat?
What is the emergency number? | What is the customer number?
How do I write a cover letter? | How do I write a resignation letter?
Which wine goes with fish? | Which wine goes with beef?
Is your father at home? | Is my father at home?
""",
}
"""By kind, two questions to a line."""

PARAPHRASES = {
    "form": """\
What's the capital of Norway? | what is the capital of norway
How do I reset my password? | how do i reset my password???
Don't cats like water? | do not cats like water
What is the colour of the flag? | What is the color of the flag?
Who is the CEO of Siemens? | who's the CEO of Siemens
Name three rivers in Brazil. | Name 3 rivers in Brazil
Why isn't the sky green? | Why is the sky not green?
How do I organise a party? | How do I organize a party?
Where's the nearest pharmacy? | Where is the nearest pharmacy
It's 5 km to the lake. How long do I walk? | it is 5km to the lake - how long do I walk?
What does "RSVP" mean? | What does RSVP mean?
I can't log in. What should I do? | I cannot log in, what should I do?
How tall is Mont Blanc in metres? | how tall is mont blanc in meters
What is 20% of 50? | What is 20 percent of 50?
Which documents do I need for a 1st visit? | Which documents do I need for a first visit?
How do I get 1,000 followers? | How do I get 1000 followers?
""",
    "courtesy": """\
What is the speed of sound? | Please tell me what the speed of sound is.
How do I tie a bow tie? | Hi, could you explain how I tie a bow tie? Thanks!
Where is the tax office? | Can you tell me where the tax office is?
How many moons does Mars have? | I would like to know how many moons Mars has.
List the planets of the solar system. | Could you please list the planets of the solar system?
What is photosynthesis? | Hello, what is photosynthesis, please?
Which trains go to Lyon? | Do you know which trains go to Lyon?
How do I boil an egg? | I was wondering how I boil an egg.
Translate "good night" into Spanish. | Would you translate "good night" into Spanish?
When does the post office close? | Excuse me, when does the post office close?
Who painted Guernica? | Do you happen to know who painted Guernica?
Is Pluto a planet? | Just curious: is Pluto a planet?
Explain gravity. | Please could you explain gravity to me?
What does HTTP stand for? | Quick question: what does HTTP stand for?
""",
    "framing": """\
How do I change a flat tyre? | How can I change a flat tyre?
How do I change a flat tyre? | How to change a flat tyre
How do you make hummus? | How does one make hummus?
What is the way to cancel a subscription? | How do I cancel a subscription?
What is the capital of Peru? | Tell me the capital of Peru.
What is the boiling point of water? | Give me the boiling point of water.
Who wrote Dracula? | Which author wrote Dracula?
What are the ingredients of pesto? | List the ingredients of pesto.
Why is the sea salty? | Why is it that the sea is salty?
What is the meaning of "ergo"? | What does "ergo" mean?
Where does Finn live? | In which place does Finn live?
How much is a ticket to Bern? | What does a ticket to Bern cost?
What is entropy? | Explain what entropy is.
What is entropy? | Can you define entropy?
What time does the shop open? | When does the shop open?
At what time does the film start? | When does the film start?
What year did the war end? | In which year did the war end?
Who is the author of Emma? | Who wrote Emma?
What's the best way to learn Spanish? | How do I best learn Spanish?
What is the reason that ice floats? | Why does ice float?
Can you give me a recipe for pancakes? | I need a recipe for pancakes.
What is the number of bones in the human body? | How many bones are in the human body?
For what reason do cats purr? | Why do cats purr?
How do I go about renewing my passport? | How do I renew my passport?
""",
    "order": """\
How do I take a screenshot on a Mac? | On a Mac, how do I take a screenshot?
In Python, how do I reverse a list? | How do I reverse a list in Python?
What is France's capital? | What is the capital of France?
What's the population of Chile? | What's Chile's population?
Who was Picasso's first wife? | Who was the first wife of Picasso?
Before a race, what should I eat? | What should I eat before a race?
In 1969, who walked on the Moon? | Who walked on the Moon in 1969?
What is the atomic number of gold? | What is gold's atomic number?
During pregnancy, can I drink coffee? | Can I drink coffee during pregnancy?
At night, why is the sky dark? | Why is the sky dark at night?
Where in Italy is Pisa? | Where is Pisa in Italy?
With a fork, how do I beat eggs? | How do I beat eggs with a fork?
Which countries border Laos and Vietnam? | Which countries border Vietnam and Laos?
What are the pros and cons of tea? | What are the cons and pros of tea?
If it rains, what should we do? | What should we do if it rains?
The capital of Kenya is what? | What is the capital of Kenya?
""",
    "synonym": """\
Where can I buy a bicycle? | Where can I purchase a bike?
When does the film begin? | When does the movie start?
How do I fix a leaking tap? | How do I repair a leaky faucet?
What is the quickest route to the airport? | What is the fastest way to the airport?
Is the shop shut on Sunday? | Is the store closed on Sunday?
How do I remove a stain from a carpet? | How do I get a stain out of a carpet?
Which doctor treats children? | Which doctor treats kids?
How do I delete my account? | How do I remove my account?
How can I phone customer service? | How can I call customer support?
What is the price of a stamp? | What is the cost of a stamp?
What are the symptoms of a cold? | What are the signs of a cold?
How do I reply to an email? | How do I answer an e-mail?
How do I assist a choking person? | How do I help a choking person?
Why did Rome fall? | Why did Rome collapse?
How do I choose a mattress? | How do I pick a mattress?
Are dogs allowed in the park? | Are dogs permitted in the park?
Is the exam hard? | Is the exam difficult?
What is a huge number called? | What is an enormous number called?
How do I send a photo? | How do I send a picture?
What are the duties of a mayor? | What are the responsibilities of a mayor?
How large is Jupiter? | How big is Jupiter?
Where is the rubbish collected? | Where is the garbage collected?
How do I shut down my laptop? | How do I turn off my laptop?
Who built the wall? | Who constructed the wall?
""",
    "restructure": """\
How tall is the Eiffel Tower? | What is the height of the Eiffel Tower?
Who invented dynamite? | Dynamite was invented by whom?
How far is it from Rome to Naples? | What is the distance between Rome and Naples?
How old is the Earth? | What is the age of the Earth?
When was Mozart born? | What is Mozart's date of birth?
Why do we yawn? | What makes us yawn?
How many people live in Ghana? | What is the population of Ghana?
My laptop won't start. What can I do? | What should I do if my laptop does not boot?
Is it possible to grow lemons indoors? | Can lemons be grown indoors?
What do pandas eat? | What is the diet of pandas?
Which planet is nearest to the Sun? | What planet has the Sun as its closest neighbour?
What language do they speak in Brazil? | Which language is spoken in Brazil?
How do I stop hiccups? | What is a cure for hiccups?
What's the weather like in Cairo? | How is the weather in Cairo?
Does coffee keep you awake? | Will I be unable to sleep if I drink coffee?
Who is married to Ada? | Who is Ada's spouse?
What is the currency of Japan? | How do people pay in Japan?
How heavy is a blue whale? | How much does a blue whale weigh?
How much time does it take to boil an egg? | How long does an egg have to boil?
Where was Chopin born? | What is the birthplace of Chopin?
What causes earthquakes? | Why do earthquakes happen?
Who is the head of the school? | Who runs the school?
How do I get rid of ants? | What keeps ants away?
What can I cook with leeks? | Give me some ideas for dishes with leeks.
How do I become a pilot? | What does it take to be a pilot?
Is Iceland in the EU? | Is Iceland a member of the European Union?
""",
}
